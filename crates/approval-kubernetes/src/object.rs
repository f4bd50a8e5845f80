//! Objects by their names.

use std::fmt;

use approval_core::EffectKey;
use serde::{Deserialize, Serialize};

/// The longest name of an object.
const LONGEST_NAME: usize = 253;

/// What names an object in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectReference {
    /// Group and version.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace, where the kind has namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

/// A name that is none: it could lead to another object's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` is {why}")]
pub struct WrongName {
    member: &'static str,
    why: &'static str,
}

impl ObjectReference {
    /// Every part is one step of a path, of characters that a path has.
    pub(crate) fn check(&self) -> Result<(), WrongName> {
        let wrong = |member, why| Err(WrongName { member, why });
        let (group, version) = self.api_version.split_once('/').unwrap_or(("v1", &self.api_version));
        if !is_label(version) || group.len() > LONGEST_NAME || !group.split('.').all(is_label) {
            return wrong("apiVersion", "neither `v1` nor `group/v1`");
        }
        if self.kind.is_empty() || self.kind.len() > 63 || !self.kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return wrong("kind", "no kind");
        }
        if self.namespace.as_ref().is_some_and(|namespace| !is_label(namespace)) {
            return wrong("namespace", "no label of lower-case letters, digits and `-`");
        }
        let is_step = !["", ".", ".."].contains(&self.name.as_str()) && !self.name.contains(['/', '%']);
        if !is_step || self.name.len() > LONGEST_NAME || !self.name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("name", "no name of an object");
        }
        Ok(())
    }

    fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Names the object, whatever the version in which it is spoken of.
    #[must_use]
    pub fn effect_key(&self, cluster_uid: &str) -> EffectKey {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        EffectKey::new(format!("kubernetes:{cluster_uid}/{}/{}/{namespace}/{}", self.group(), self.kind, self.name))
    }

    /// Whether what it holds is secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.kind == "Secret" && self.api_version == "v1"
    }
}

impl fmt::Display for ObjectReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}", self.name)?;
        match self.group() {
            "" => Ok(()),
            group => write!(f, " ({group})"),
        }
    }
}

/// Whether it is a label in the sense of RFC 1123, in lower case.
fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_another_address_is_no_name() {
        let good = ObjectReference {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("demo".to_owned()),
            name: "web".to_owned(),
        };
        assert_eq!(good.check(), Ok(()));
        let check = |change: &dyn Fn(&mut ObjectReference)| {
            let mut object = good.clone();
            change(&mut object);
            object.check().map_err(|error| error.member)
        };
        for version in ["", "apps/", "/v1", "apps/v1/x", "../v1", "apps/v1?x"] {
            assert_eq!(check(&|object| version.clone_into(&mut object.api_version)), Err("apiVersion"), "{version}");
        }
        for name in ["", "..", "a/b", "a%2fb", "a b", "\u{202e}a"] {
            assert_eq!(check(&|object| name.clone_into(&mut object.name)), Err("name"), "{name}");
        }
        assert_eq!(check(&|object| object.namespace = Some("a/b".to_owned())), Err("namespace"));
        assert_eq!(check(&|object| object.kind = "Deployment/../Pod".to_owned()), Err("kind"));
        assert_eq!(check(&|object| object.name = "system:node".to_owned()), Ok(()));
    }

    #[test]
    fn an_effect_key_is_the_same_in_every_version() {
        let of = |version: &str| ObjectReference {
            api_version: version.to_owned(),
            kind: "CronJob".to_owned(),
            namespace: Some("demo".to_owned()),
            name: "a".to_owned(),
        };
        assert_eq!(of("batch/v1").effect_key("u"), of("batch/v1beta1").effect_key("u"));
        assert_eq!(of("batch/v1").effect_key("u").as_str(), "kubernetes:u/batch/CronJob/demo/a");
    }
}

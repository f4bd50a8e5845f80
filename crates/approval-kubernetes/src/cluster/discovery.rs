//! Which address a kind has. Any kind that the server has can be planned, those of custom resources too.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Cluster, Fault};
use crate::object::ObjectReference;

/// How a kind is addressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Resource {
    /// The group, empty for the core.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) group: String,
    /// The version within the group.
    pub(crate) version: String,
    /// The name in the address, in the plural.
    pub(crate) plural: String,
    /// Whether its objects lie in namespaces.
    pub(crate) namespaced: bool,
    /// Whether it has the subresource `scale`.
    pub(crate) scalable: bool,
}

#[derive(Deserialize)]
struct ResourceList {
    #[serde(default)]
    resources: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    kind: String,
    #[serde(default)]
    namespaced: bool,
}

impl Resource {
    /// One of which it is known how it is addressed.
    pub(crate) fn of(group: &str, version: &str, plural: &str, namespaced: bool) -> Self {
        let (group, version, plural) = (group.to_owned(), version.to_owned(), plural.to_owned());
        Self { group, version, plural, namespaced, scalable: false }
    }

    /// One of the core's kinds.
    pub(crate) fn core(plural: &str, namespaced: bool) -> Self {
        Self::of("", "v1", plural, namespaced)
    }

    /// The path of the kind's objects in a namespace.
    pub(crate) fn collection(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.plural),
            None => format!("{root}/{}", self.plural),
        }
    }

    /// The path of an object, or of a subresource of it.
    pub(crate) fn path(&self, object: &ObjectReference, subresource: Option<&str>) -> String {
        let collection = self.collection(object.namespace.as_deref());
        let subresource = subresource.map(|name| format!("/{name}")).unwrap_or_default();
        format!("{collection}/{}{subresource}", encoded(&object.name))
    }

    /// As administrators write it: `deployments.apps`.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }
}

/// A name as one step of a path: what isn't plain is written by its octets.
fn encoded(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    name.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

impl Cluster {
    /// The resource of a kind; `None` where the server has no such kind.
    pub(crate) async fn resource(&self, api_version: &str, kind: &str) -> Result<Option<Resource>, Fault> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let path = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let answer = match self.send(Method::GET, &path, None).await {
            Ok(answer) => answer,
            Err(Fault::Refused(status)) if status.is_not_found() => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let list: ResourceList = serde_json::from_value(answer.body)
            .map_err(|error| Fault::Unreadable(format!("the list of resources of `{api_version}`: {error}")))?;
        let found = list.resources.iter().find(|listed| listed.kind == kind && !listed.name.contains('/'));
        Ok(found.map(|listed| {
            let scale = format!("{}/scale", listed.name);
            Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                plural: listed.name.clone(),
                namespaced: listed.namespaced,
                scalable: list.resources.iter().any(|other| other.name == scale),
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let deployments = Resource::of("apps", "v1", "deployments", true);
        let web = ObjectReference {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("demo".to_owned()),
            name: "web".to_owned(),
        };
        assert_eq!(deployments.path(&web, Some("scale")), "/apis/apps/v1/namespaces/demo/deployments/web/scale");
        assert_eq!(deployments.qualified(), "deployments.apps");
        let namespaces = Resource::core("namespaces", false);
        assert_eq!(namespaces.collection(None), "/api/v1/namespaces");
    }

    #[test]
    fn a_name_stays_one_step_of_the_path() {
        assert_eq!(encoded("system:node"), "system:node");
        assert_eq!(encoded("a?dryRun=All&b/c#d"), "a%3FdryRun%3DAll%26b%2Fc%23d");
    }
}

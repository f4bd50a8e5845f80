//! The file, as it is written.

use std::collections::BTreeMap;

use approval_core::record::Severity;
use serde::Deserialize;
use toml::Spanned;

use super::allow::Allow;
use super::{Policy, PolicyError, PolicyFault, Rule};
use crate::findings::Hazard;
use crate::findings::pod_security::StandardsVersion;
use crate::image::Image;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    protected_namespaces: Option<Vec<Spanned<String>>>,
    registries: Option<Vec<Spanned<String>>>,
    standards: Option<Spanned<String>>,
    deny_from: Option<Spanned<Severity>>,
    #[serde(default)]
    findings: BTreeMap<Spanned<String>, RuleTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RuleTable {
    severity: Option<Severity>,
    deny: Option<bool>,
    #[serde(default)]
    allow: Vec<Spanned<AllowTable>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AllowTable {
    #[serde(default)]
    namespaces: Vec<Spanned<String>>,
    #[serde(default)]
    kinds: Vec<Spanned<String>>,
    #[serde(default)]
    registries: Vec<Spanned<String>>,
    /// For whoever reads the file.
    #[expect(dead_code, reason = "an exception has to say why it is one, and nobody but people reads it")]
    reason: String,
}

pub(super) fn parse(text: &str) -> Result<Policy, PolicyError> {
    let lines = Lines(text);
    let file: File = toml::from_str(text).map_err(|error| {
        let line = lines.of(error.span().map_or(0, |span| span.start));
        PolicyError::new(line, PolicyFault::Format(error.message().to_owned()))
    })?;
    let mut policy = Policy::default();
    if let Some(namespaces) = file.protected_namespaces {
        policy.protected_namespaces = lines.checked(namespaces, is_namespace, PolicyFault::Namespace)?;
    }
    if let Some(registries) = file.registries {
        policy.registries = Some(lines.checked(registries, is_registry, PolicyFault::Registry)?);
    }
    if let Some(version) = file.standards {
        policy.standards = standards(version.get_ref()).ok_or_else(|| {
            let newest = StandardsVersion::NEWEST.to_string();
            let fault = PolicyFault::Standards { given: version.get_ref().clone(), newest };
            PolicyError::new(lines.of(version.span().start), fault)
        })?;
    }
    policy.deny_from = file.deny_from.map(|severity| (*severity.get_ref(), lines.of(severity.span().start)));
    for (id, table) in file.findings {
        policy.rules.push(rule(&id, table, &lines)?);
    }
    Ok(policy)
}

fn rule(id: &Spanned<String>, table: RuleTable, lines: &Lines<'_>) -> Result<Rule, PolicyError> {
    let line = lines.of(id.span().start);
    let name = id.get_ref();
    let refuse = |fault: fn(String) -> PolicyFault| PolicyError::new(line, fault(name.clone()));
    let hazard = Hazard::of(name).ok_or_else(|| refuse(PolicyFault::UnknownHazard))?;
    let RuleTable { severity, deny, allow } = table;
    if severity.is_none() && deny.is_none() && allow.is_empty() {
        return Err(refuse(PolicyFault::EmptyRule));
    }
    if deny == Some(false) && !allow.is_empty() {
        return Err(refuse(PolicyFault::AllowWithoutDeny));
    }
    let allow = allow.into_iter().map(|table| exception(name, table, lines)).collect::<Result<_, _>>()?;
    Ok(Rule { id: hazard.id, line, severity, deny, allow })
}

fn exception(name: &str, table: Spanned<AllowTable>, lines: &Lines<'_>) -> Result<Allow, PolicyError> {
    let line = lines.of(table.span().start);
    let AllowTable { namespaces, kinds, registries, .. } = table.into_inner();
    let allow = Allow {
        namespaces: lines.checked(namespaces, is_namespace_pattern, PolicyFault::NamespacePattern)?,
        kinds: lines.checked(kinds, is_kind, PolicyFault::Kind)?,
        registries: lines.checked(registries, is_registry, PolicyFault::Registry)?,
    };
    if allow.namespaces.is_empty() && allow.kinds.is_empty() && allow.registries.is_empty() {
        return Err(PolicyError::new(line, PolicyFault::AllowsEverything(name.to_owned())));
    }
    Ok(allow)
}

/// The text, for the lines of its bytes.
struct Lines<'a>(&'a str);

impl Lines<'_> {
    fn of(&self, offset: usize) -> usize {
        self.0.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    /// The texts of a list, each of which has to be something.
    fn checked(
        &self,
        given: Vec<Spanned<String>>,
        is_sound: fn(&str) -> bool,
        fault: fn(String) -> PolicyFault,
    ) -> Result<Vec<String>, PolicyError> {
        given
            .into_iter()
            .map(|text| {
                let line = self.of(text.span().start);
                let text = text.into_inner();
                if is_sound(&text) { Ok(text) } else { Err(PolicyError::new(line, fault(text))) }
            })
            .collect()
    }
}

fn is_namespace(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// A namespace, or the beginning of its name and `*`.
fn is_namespace_pattern(text: &str) -> bool {
    match text.strip_suffix('*') {
        Some(start) => is_namespace(&format!("{start}x")),
        None => is_namespace(text),
    }
}

fn is_kind(text: &str) -> bool {
    let (kind, group) = text.split_once('.').map_or((text, None), |(kind, group)| (kind, Some(group)));
    kind.starts_with(|first: char| first.is_ascii_uppercase())
        && kind.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && group.is_none_or(|group| group.split('.').all(is_namespace))
}

fn is_registry(text: &str) -> bool {
    Image::parse(&format!("{text}/image")).is_ok_and(|image| image.is_from(text))
}

fn standards(text: &str) -> Option<StandardsVersion> {
    if text == "latest" {
        return Some(StandardsVersion::NEWEST);
    }
    let minor = text.strip_prefix("v1.")?;
    let is_plain = minor.bytes().all(|byte| byte.is_ascii_digit()) && (minor == "0" || !minor.starts_with('0'));
    let version = StandardsVersion::minor(minor.parse().ok().filter(|_| is_plain)?);
    (version <= StandardsVersion::NEWEST).then_some(version)
}

//! The file of identity providers: how it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use approval_core::{Group, Person};
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::Deserialize;
use toml::Spanned;

use super::http::is_protected;
use crate::accounts::check_person;
use crate::bearer::is_scope;
use crate::private_file::{FileError, FileFault, PrivateFile};

/// What the operator says of one provider.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(crate) name: String,
    pub(super) login: Option<Client>,
    pub(super) resource: Option<Resource>,
    pub(super) algorithms: Vec<Algorithm>,
    person_claim: String,
    person_prefix: String,
    groups_claim: Option<String>,
    persons: BTreeMap<String, Known>,
}

/// The surface as a client of the provider (RFC 6749).
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Option<PrivateFile>,
    pub(super) scopes: Vec<String>,
    pub(super) acr_values: Vec<String>,
}

/// The MCP endpoint as a resource for which the provider issues tokens (RFC 8707).
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) audience: String,
    pub(super) scope: Option<String>,
}

/// A person whom the operator names.
#[derive(Clone, Debug)]
pub(super) struct Known {
    person: Person,
    groups: BTreeSet<Group>,
    disabled: bool,
    pub(super) may_request: bool,
    pub(super) may_approve: bool,
}

/// Whom a value of the person claim stands for.
#[derive(Clone, Debug)]
pub(super) struct Mapped<'a> {
    pub(super) person: Person,
    pub(super) known: Option<&'a Known>,
}

impl Settings {
    /// Whom a value of the person claim stands for, unless that is nobody. [PERSON-001]
    pub(super) fn person(&self, value: &str) -> Option<Mapped<'_>> {
        if self.persons.is_empty() {
            let person = format!("{}{value}", self.person_prefix);
            return check_person(&person).is_ok().then(|| Mapped { person: Person::new(person), known: None });
        }
        let known = self.persons.get(value).filter(|known| !known.disabled)?;
        Some(Mapped { person: known.person.clone(), known: Some(known) })
    }

    pub(super) fn person_claim(&self) -> &str {
        &self.person_claim
    }

    pub(super) fn groups_claim(&self) -> Option<&str> {
        self.groups_claim.as_deref()
    }
}

impl Known {
    pub(super) fn groups(&self) -> &BTreeSet<Group> {
        &self.groups
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    provider: Vec<RawProvider>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawProvider {
    id: Spanned<String>,
    issuer: Spanned<String>,
    name: Option<String>,
    client_id: Option<Spanned<String>>,
    client_secret_file: Option<Spanned<String>>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    acr_values: Vec<String>,
    resource: Option<Spanned<String>>,
    resource_scope: Option<Spanned<String>>,
    algorithms: Option<Spanned<Vec<String>>>,
    person_claim: Option<Spanned<String>>,
    person_prefix: Option<Spanned<String>>,
    groups_claim: Option<Spanned<String>>,
    #[serde(default)]
    person: Vec<RawPerson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPerson {
    value: Spanned<String>,
    person: Spanned<String>,
    #[serde(default)]
    groups: BTreeSet<String>,
    #[serde(default)]
    disabled: bool,
    #[serde(default = "yes")]
    may_request: bool,
    #[serde(default = "yes")]
    may_approve: bool,
}

fn yes() -> bool {
    true
}

/// Reads one file, and says where in it something is wrong.
struct Reader<'a> {
    file: &'a PrivateFile,
    text: &'a str,
}

/// The providers in the text, in their order.
pub(super) fn parse(file: &PrivateFile, text: &str) -> Result<Vec<Settings>, FileError> {
    let raw: Raw = toml::from_str(text).map_err(|error| file.malformed(text, &error))?;
    let reader = Reader { file, text };
    let mut settings: Vec<Settings> = Vec::new();
    for raw in raw.provider {
        let (id, issuer) = (raw.id.clone(), raw.issuer.clone());
        let read = reader.provider(raw)?;
        if settings.iter().any(|known| known.id == read.id) {
            return Err(reader.at(&id, FileFault::Duplicate(read.id)));
        }
        if settings.iter().any(|known| known.issuer == read.issuer) {
            return Err(reader.at(&issuer, FileFault::Duplicate(read.issuer)));
        }
        // Two issuers that may name whom they like could name the same person.
        let free = |settings: &Settings| settings.persons.is_empty();
        let meets = |known: &Settings| {
            known.person_prefix.starts_with(&read.person_prefix) || read.person_prefix.starts_with(&known.person_prefix)
        };
        if let Some(other) = settings.iter().find(|known| free(known) && free(&read) && meets(known)) {
            let fault = format!(
                "`{}` and `{}` could name the same person: give each a `person-prefix` of its own, or list its persons",
                other.id, read.id
            );
            return Err(reader.at(&id, FileFault::Malformed(fault)));
        }
        settings.push(read);
    }
    Ok(settings)
}

impl Reader<'_> {
    fn at<T>(&self, spanned: &Spanned<T>, fault: FileFault) -> FileError {
        self.file.fault_at(self.text, spanned.span().start, fault)
    }

    fn wrong<T>(&self, spanned: &Spanned<T>, fault: impl Into<String>) -> FileError {
        self.at(spanned, FileFault::Malformed(fault.into()))
    }

    fn provider(&self, raw: RawProvider) -> Result<Settings, FileError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(1..=32).contains(&raw.id.get_ref().len()) || !raw.id.get_ref().chars().all(plain) {
            return Err(self.wrong(&raw.id, "`id` is 1 to 32 of the characters a-z 0-9 -"));
        }
        // It is compared octet by octet with what tokens say. [OpenID Connect Core 1.0, 2]
        if !is_protected(raw.issuer.get_ref()) || raw.issuer.get_ref().contains(['?', '#']) {
            let fault =
                "`issuer` is an https URL without query and fragment; plain http is for loopback addresses only";
            return Err(self.wrong(&raw.issuer, fault));
        }
        let (algorithms, login, resource) = (self.algorithms(&raw)?, self.login(&raw)?, self.resource(&raw)?);
        if login.is_none() && resource.is_none() {
            let fault =
                "neither `client-id` (for logins) nor `resource` (for bearer tokens): the provider is for nothing";
            return Err(self.wrong(&raw.id, fault));
        }
        for claim in [&raw.person_claim, &raw.groups_claim].into_iter().flatten() {
            if claim.get_ref().is_empty() {
                return Err(self.wrong(claim, "a claim has a name, or a JSON Pointer"));
            }
        }
        if let Some(prefix) = &raw.person_prefix
            && let Err(fault) = check_person(&format!("{}a", prefix.get_ref()))
        {
            return Err(self.at(prefix, fault));
        }
        Ok(Settings {
            name: raw.name.unwrap_or_else(|| raw.id.get_ref().clone()),
            id: raw.id.into_inner(),
            issuer: raw.issuer.into_inner(),
            login,
            resource,
            algorithms,
            person_claim: raw.person_claim.map_or_else(|| "sub".to_owned(), Spanned::into_inner),
            person_prefix: raw.person_prefix.map(Spanned::into_inner).unwrap_or_default(),
            groups_claim: raw.groups_claim.map(Spanned::into_inner),
            persons: self.persons(raw.person)?,
        })
    }

    fn login(&self, raw: &RawProvider) -> Result<Option<Client>, FileError> {
        let Some(id) = &raw.client_id else {
            return match &raw.client_secret_file {
                Some(secret) => Err(self.wrong(secret, "a secret without `client-id`")),
                None => Ok(None),
            };
        };
        if id.get_ref().is_empty() {
            return Err(self.wrong(id, "`client-id` is empty"));
        }
        let mut scopes = vec!["openid".to_owned()];
        scopes.extend(raw.scopes.iter().filter(|scope| *scope != "openid").cloned());
        let secret = raw.client_secret_file.as_ref().map(|path| self.file.sibling(Path::new(path.get_ref())));
        Ok(Some(Client { id: id.get_ref().clone(), secret, scopes, acr_values: raw.acr_values.clone() }))
    }

    fn resource(&self, raw: &RawProvider) -> Result<Option<Resource>, FileError> {
        let Some(audience) = &raw.resource else {
            return match &raw.resource_scope {
                Some(scope) => Err(self.wrong(scope, "a scope without `resource`")),
                None => Ok(None),
            };
        };
        // An ID token for the surface, whose audience is the client, must never do as an access token.
        if audience.get_ref().is_empty() || raw.client_id.as_ref().is_some_and(|id| id.get_ref() == audience.get_ref())
        {
            return Err(self.wrong(audience, "`resource` is empty, or the same as `client-id`"));
        }
        if let Some(scope) = raw.resource_scope.as_ref().filter(|scope| !is_scope(scope.get_ref())) {
            return Err(self.wrong(scope, "`resource-scope` is not one scope (RFC 6749, 3.3)"));
        }
        let scope = raw.resource_scope.clone().map(Spanned::into_inner);
        Ok(Some(Resource { audience: audience.get_ref().clone(), scope }))
    }

    fn algorithms(&self, raw: &RawProvider) -> Result<Vec<Algorithm>, FileError> {
        // What OpenID Connect providers use where nothing was agreed upon. [OpenID Connect Core 1.0, 3.1.3.7]
        let Some(named) = &raw.algorithms else { return Ok(vec![Algorithm::RS256]) };
        // Never a shared secret: a public key is no secret, and would verify what anybody wrote. [RFC 8725, 3.1]
        let asymmetric = |algorithm: &Algorithm| algorithm.family() != AlgorithmFamily::Hmac;
        let read = named.get_ref().iter().map(|name| name.parse().ok().filter(asymmetric));
        match read.collect::<Option<Vec<_>>>() {
            Some(algorithms) if !algorithms.is_empty() => Ok(algorithms),
            _ => {
                let fault = "`algorithms` are some of RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA";
                Err(self.wrong(named, fault))
            }
        }
    }

    fn persons(&self, raw: Vec<RawPerson>) -> Result<BTreeMap<String, Known>, FileError> {
        let mut persons = BTreeMap::new();
        for raw in raw {
            if let Err(fault) = check_person(raw.person.get_ref()) {
                return Err(self.at(&raw.person, fault));
            }
            let known = Known {
                person: Person::new(raw.person.into_inner()),
                groups: raw.groups.iter().map(|group| Group::from(group.as_str())).collect(),
                disabled: raw.disabled,
                may_request: raw.may_request,
                may_approve: raw.may_approve,
            };
            if persons.insert(raw.value.get_ref().clone(), known).is_some() {
                return Err(self.at(&raw.value, FileFault::Duplicate(raw.value.get_ref().clone())));
            }
        }
        Ok(persons)
    }
}

//! Bearer tokens in a file: for an installation without an identity provider.

use std::path::PathBuf;
use std::sync::Arc;

use approval_core::record::{Identity, RequesterAssurance};
use approval_core::{Clock, Digest, Entropy as _, OsEntropy, Person, Requester, Timestamp};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use toml::Spanned;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::{BearerError, BearerVerifier, Verified};
use crate::accounts::LOCAL_ISSUER;
use crate::private_file::{FileError, FileFault, PrivateFile};

/// Tokens by their hashes, kept in one file beside the key.
///
/// ```toml
/// [[token]]
/// sha256 = "…"                          # 64 lower-case hexadecimal digits, of the token's bytes
/// person = "alice"                      # for whom its bearer acts
/// subject = "alice"                     # optional: the person's name
/// issuer = "urn:mutation-approval:local"  # optional
/// expires = "2027-01-01T00:00:00.000Z"  # optional
/// ```
///
/// The file belongs to its owner alone (mode 600) and is read at each use, so a token that was removed is of no use from the
/// next request on.
#[derive(Clone, Debug)]
pub struct TokenFile {
    file: PrivateFile,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    token: Vec<RawToken>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawToken {
    sha256: Spanned<String>,
    person: Spanned<String>,
    subject: Option<String>,
    issuer: Option<String>,
    expires: Option<Spanned<String>>,
}

struct Token {
    digest: Digest,
    identity: Identity,
    expires: Option<Timestamp>,
}

impl TokenFile {
    /// The tokens in this file, which need not be there yet: then there are none.
    pub fn open(path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { file: PrivateFile::new(path), clock }
    }

    /// Makes a token of 256 random bits for whoever acts for `person`, and returns it: only its hash is kept. Blocking.
    ///
    /// # Errors
    /// When the file can't be changed, or there is no randomness.
    pub fn issue(&self, person: &Person, expires: Option<Timestamp>) -> Result<String, FileError> {
        let mut random = [0; 32];
        let no_randomness =
            |error: approval_core::EntropyError| self.file.fault(None, FileFault::Io(error.to_string()));
        OsEntropy.fill(&mut random).map_err(no_randomness)?;
        let token = URL_SAFE_NO_PAD.encode(random);
        let digest = Digest::of_bytes(token.as_bytes());
        self.file.edit(|text| {
            self.parse(text)?;
            let malformed =
                |error: toml_edit::TomlError| self.file.fault(None, FileFault::Malformed(error.message().to_owned()));
            let mut document: DocumentMut = text.parse().map_err(malformed)?;
            let mut table = Table::new();
            table.insert("sha256", value(hex::encode(digest.as_bytes())));
            table.insert("person", value(person.as_str()));
            if let Some(expires) = expires {
                table.insert("expires", value(expires.to_string()));
            }
            let tokens = document.entry("token").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
            match tokens.as_array_of_tables_mut() {
                Some(tables) => tables.push(table),
                None => {
                    let fault = FileFault::Malformed("tokens are written as `[[token]]`".to_owned());
                    return Err(self.file.fault(None, fault));
                }
            }
            Ok((document.to_string(), token))
        })
    }

    fn parse(&self, text: &str) -> Result<Vec<Token>, FileError> {
        let raw: Raw = toml::from_str(text).map_err(|error| self.file.malformed(text, &error))?;
        let mut tokens: Vec<Token> = Vec::new();
        for raw in raw.token {
            let at = |spanned: &Spanned<String>, fault: &str| {
                self.file.fault_at(text, spanned.span().start, FileFault::Malformed(fault.to_owned()))
            };
            let digest: Digest = format!("sha256:{}", raw.sha256.get_ref())
                .parse()
                .map_err(|_| at(&raw.sha256, "`sha256` is not 64 lower-case hexadecimal digits"))?;
            if tokens.iter().any(|known| known.digest == digest) {
                return Err(at(&raw.sha256, "this token is there twice"));
            }
            if raw.person.get_ref().trim().is_empty() {
                return Err(at(&raw.person, "`person` is empty"));
            }
            let expires = raw.expires.map(|expires| {
                expires.get_ref().parse().map_err(|_| at(&expires, "`expires` is not YYYY-MM-DDThh:mm:ss.sssZ"))
            });
            let person = raw.person.into_inner();
            let identity = Identity {
                subject: raw.subject.unwrap_or_else(|| person.clone()),
                issuer: raw.issuer.unwrap_or_else(|| LOCAL_ISSUER.to_owned()),
                person: Person::new(person),
            };
            tokens.push(Token { digest, identity, expires: expires.transpose()? });
        }
        Ok(tokens)
    }
}

#[async_trait]
impl BearerVerifier for TokenFile {
    async fn verify(&self, token: &str) -> Result<Verified, BearerError> {
        let read = self.file.read().and_then(|text| self.parse(&text));
        let tokens = read.map_err(|error| BearerError(error.to_string()))?;
        let presented = Digest::of_bytes(token.as_bytes());
        let now = self.clock.now();
        // Every hash is compared, and digests compare in constant time: the time tells nothing about the file.
        let mut found = Verified::Nobody;
        for token in tokens {
            let matches = token.digest == presented;
            if matches && token.expires.is_none_or(|expires| now < expires) {
                let assurance = RequesterAssurance::VerifiedToken;
                found = Verified::For(Requester { identity: token.identity, assurance });
            }
        }
        Ok(found)
    }
}

//! JSON Web Tokens (RFC 7519), verified as RFC 8725 advises: the algorithm is the configuration's to choose, never the token's.

use std::time::Duration;

use approval_core::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::published::Snapshot;

/// How far clocks may differ.
pub(crate) const LEEWAY: Duration = Duration::from_secs(30);

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 64 * 1024;

/// What a token must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    pub(super) algorithms: &'a [Algorithm],
    pub(super) now: Timestamp,
}

/// Why a token isn't believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// Signed by an algorithm that isn't among those of the configuration, or by none.
    #[error("its algorithm is not one of those that are accepted here")]
    Algorithm,
    /// For somebody else.
    #[error("it is for another audience")]
    Audience,
    /// Given to another client.
    #[error("it was issued to another client")]
    AuthorizedParty,
    /// The person did not log in as lately or as well as was asked for.
    #[error("the login is {0}")]
    Authentication(&'static str),
    /// A claim is missing or isn't what it should be.
    #[error("its claim `{0}` is missing, or not what it should be")]
    Claim(&'static str),
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Of another issuer.
    #[error("it is of another issuer")]
    Issuer,
    /// No token at all, or one with header members that are not understood.
    #[error("it is no token that can be read")]
    Malformed,
    /// Not the answer to what was asked.
    #[error("its nonce is of another login")]
    Nonce,
    /// Its time has not come.
    #[error("its time has not come")]
    NotYet,
    /// Nobody who is a person.
    #[error("it stands for nobody who is a person here")]
    Nobody,
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
    /// For something else than it is presented for.
    #[error("it is a token for something else")]
    Type,
    /// Signed by a key that the issuer doesn't publish.
    #[error("the issuer has published no such key")]
    UnknownKey,
}

/// What a token says, once it is verified.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
    claims: Map<String, Value>,
    /// The header's `typ`.
    kind: Option<String>,
}

impl Claims {
    /// A claim, by its name or, where that begins with a slash, by a JSON Pointer (RFC 6901).
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        match name.strip_prefix('/') {
            None => self.claims.get(name),
            Some(pointer) => {
                let mut members = pointer.split('/').map(|member| member.replace("~1", "/").replace("~0", "~"));
                let first = self.claims.get(&members.next()?)?;
                members.try_fold(first, |value, member| value.get(member))
            }
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// A claim that is one text or a list of texts.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        match self.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A claim that is a moment: seconds since 1970, with or without a fraction.
    pub(crate) fn moment(&self, name: &'static str) -> Result<Option<Timestamp>, TokenFault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        // Within four centuries of 1970: what is beyond is no moment, and does not overflow.
        let seconds =
            value.as_f64().filter(|seconds| seconds.abs() < 12_622_780_800.0).ok_or(TokenFault::Claim(name))?;
        #[expect(clippy::cast_possible_truncation, reason = "bounded above; the fraction of a millisecond is dropped")]
        let millis = (seconds * 1000.0).floor() as i64;
        Ok(Some(Timestamp::from_unix_millis(millis)))
    }

    /// What the header says that it is, in lower case and without `application/`.
    pub(crate) fn kind(&self) -> Option<String> {
        let kind = self.kind.as_deref()?.to_ascii_lowercase();
        Some(kind.strip_prefix("application/").unwrap_or(&kind).to_owned())
    }
}

/// The claims of a token whose signature, issuer, audience and times hold.
pub(super) fn verify(token: &str, published: &Snapshot, expected: Expected<'_>) -> Result<Claims, TokenFault> {
    if token.len() > LONGEST {
        return Err(TokenFault::Malformed);
    }
    let header = decode_header(token).map_err(|error| fault(&error))?;
    // Extensions that must be understood aren't [RFC 7515, 4.1.11]; keys that a token brings along are never looked at.
    if header.crit.is_some() {
        return Err(TokenFault::Malformed);
    }
    if !expected.algorithms.contains(&header.alg) {
        return Err(TokenFault::Algorithm);
    }
    let key = published.key(header.kid.as_deref(), header.alg).ok_or(TokenFault::UnknownKey)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| TokenFault::UnknownKey)?;
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library goes by the machine's clock; times are looked at below, by ours.
    validation.validate_exp = false;
    let decoded = decode::<Map<String, Value>>(token, &key, &validation).map_err(|error| fault(&error))?;
    let claims = Claims { claims: decoded.claims, kind: decoded.header.typ };
    if claims.text("iss") != Some(expected.issuer) {
        return Err(TokenFault::Issuer);
    }
    if claims.text("sub").is_none_or(str::is_empty) {
        return Err(TokenFault::Claim("sub"));
    }
    let now = expected.now;
    let expires = claims.moment("exp")?.ok_or(TokenFault::Claim("exp"))?;
    if now >= expires.after(LEEWAY) {
        return Err(TokenFault::Expired);
    }
    let begins = [claims.moment("nbf")?, claims.moment("iat")?];
    if begins.into_iter().flatten().any(|begins| begins > now.after(LEEWAY)) {
        return Err(TokenFault::NotYet);
    }
    Ok(claims)
}

/// The issuer that a token names, before anything about it is believed: it says whose keys to try, and no more.
pub(super) fn claimed_issuer(token: &str) -> Option<String> {
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Map<String, Value>>(token).ok()?;
    claims.get("iss").and_then(Value::as_str).map(str::to_owned)
}

fn fault(error: &jsonwebtoken::errors::Error) -> TokenFault {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => TokenFault::Signature,
        ErrorKind::InvalidAudience => TokenFault::Audience,
        ErrorKind::InvalidIssuer => TokenFault::Issuer,
        // `none`, and what the library doesn't know.
        ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidAlgorithmName
        | ErrorKind::MissingAlgorithm
        | ErrorKind::UnsupportedAlgorithm => TokenFault::Algorithm,
        ErrorKind::MissingRequiredClaim(claim) => TokenFault::Claim(match claim.as_str() {
            "exp" => "exp",
            "iss" => "iss",
            "aud" => "aud",
            _ => "sub",
        }),
        _ => TokenFault::Malformed,
    }
}

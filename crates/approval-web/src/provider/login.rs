//! Logging in at a provider: OpenID Connect's authorization code flow with PKCE (RFC 7636).

use approval_core::Timestamp;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client as OAuthClient, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardRevocableToken, StandardTokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};

use super::http::Web;
use super::published::Metadata;
use super::settings::Client;
use super::standing::Source;
use super::token::{Claims, LEEWAY};
use super::{Attested, Provider, ProviderError, Providers, TokenFault};

/// The ID token beside the access token, which is of no use here and dropped.
#[derive(Debug, Serialize, Deserialize)]
struct IdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

type Connect = OAuthClient<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// One login: what is asked of the provider, and what its answer must fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// Where the browser is sent back to.
    pub(crate) redirect: &'a str,
    /// Binds the answer to the request.
    pub(crate) state: &'a str,
    /// Binds the ID token to the request, and to what the person is to decide on.
    pub(crate) nonce: &'a str,
    /// Binds the code to the request (RFC 7636).
    pub(crate) verifier: &'a str,
    /// The person must log in anew, later than this.
    pub(crate) after: Option<Timestamp>,
}

/// Who logged in, and how.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) attested: Attested,
    /// When, unless the provider doesn't say; never later than now.
    pub(crate) auth_time: Option<Timestamp>,
    pub(crate) acr: Option<String>,
    pub(crate) amr: Vec<String>,
    /// The ID token itself, for the logout.
    pub(crate) id_token: String,
}

/// Why somebody isn't logged in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LoginFault {
    /// The provider doesn't take the code.
    #[error("the identity provider refuses: {0}")]
    Refused(String),
    /// The ID token isn't believed.
    #[error("the ID token is not good: {0}")]
    Token(#[from] TokenFault),
}

impl Providers {
    /// Where to send the browser.
    pub(crate) async fn authorization(&self, provider: &Provider, asked: Asked<'_>) -> Result<String, ProviderError> {
        let published = self.published(provider).await?;
        let settings = login_of(provider)?;
        let connect = connect(settings, &published.metadata, asked.redirect)?;
        let verifier = PkceCodeVerifier::new(asked.verifier.to_owned());
        let state = asked.state.to_owned();
        let mut request = connect
            .authorize_url(|| CsrfToken::new(state))
            .add_scopes(settings.scopes.iter().cloned().map(Scope::new))
            .add_extra_param("nonce", asked.nonce)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if asked.after.is_some() {
            // [AUTH-011]
            request = request.add_extra_param("prompt", "login").add_extra_param("max_age", "0");
            if !settings.acr_values.is_empty() {
                request = request.add_extra_param("acr_values", settings.acr_values.join(" "));
            }
        }
        Ok(request.url().0.to_string())
    }

    /// Whether an answer says that it is of this provider (RFC 9207). One that says nothing is believed where the provider
    /// doesn't promise to say it: the redirect URI is of one provider alone.
    pub(crate) async fn is_answer_of(&self, provider: &Provider, iss: Option<&str>) -> Result<bool, ProviderError> {
        let promised = self.published(provider).await?.metadata.authorization_response_iss_parameter_supported;
        Ok(iss.map_or(!promised, |iss| iss == provider.settings.issuer))
    }

    /// Who logged in, by the code that the browser brought back.
    pub(crate) async fn exchange(
        &self,
        provider: &Provider,
        asked: Asked<'_>,
        code: &str,
    ) -> Result<Result<Proof, LoginFault>, ProviderError> {
        let published = self.published(provider).await?;
        let settings = login_of(provider)?;
        let connect = connect(settings, &published.metadata, asked.redirect)?;
        let (code, verifier) = (AuthorizationCode::new(code.to_owned()), asked.verifier.to_owned());
        let exchanged = redeem(self.web.clone(), connect, code, PkceCodeVerifier::new(verifier)).await;
        let id_token = match exchanged {
            Ok(tokens) => tokens.extra_fields().id_token.clone(),
            Err(RequestTokenError::ServerResponse(refused)) => {
                return Ok(Err(LoginFault::Refused(refused.error().to_string())));
            }
            Err(RequestTokenError::Request(error)) => return Err(error),
            Err(RequestTokenError::Parse(error, _)) => return Err(ProviderError::Answer(error.to_string())),
            Err(RequestTokenError::Other(error)) => return Err(ProviderError::Answer(error)),
        };
        let id_token = id_token.ok_or_else(|| ProviderError::Answer("there is no ID token in it".to_owned()))?;
        let claims = match self.claims(provider, &id_token, &settings.id).await? {
            Ok(claims) => claims,
            Err(fault) => return Ok(Err(fault.into())),
        };
        let proof = self.proof(provider, settings, &claims, asked, id_token);
        if let Ok(proof) = &proof {
            self.keep(provider, &proof.attested, Source::Login).await?;
        }
        Ok(proof.map_err(LoginFault::from))
    }

    /// Where a person logs out at the provider, if anywhere [OpenID Connect RP-Initiated Logout 1.0].
    pub(crate) async fn end_session(
        &self,
        provider: &Provider,
        id_token: &str,
        redirect: &str,
    ) -> Result<Option<String>, ProviderError> {
        let published = self.published(provider).await?;
        let Some(endpoint) = &published.metadata.end_session_endpoint else { return Ok(None) };
        let unreadable = |error: oauth2::url::ParseError| ProviderError::Answer(error.to_string());
        let mut url: oauth2::url::Url = endpoint.parse().map_err(unreadable)?;
        url.query_pairs_mut()
            .append_pair("id_token_hint", id_token)
            .append_pair("client_id", &login_of(provider)?.id)
            .append_pair("post_logout_redirect_uri", redirect);
        Ok(Some(url.into()))
    }

    /// What OpenID Connect asks of an ID token beyond its signature [OpenID Connect Core 1.0, 3.1.3.7], and what a decision
    /// asks of a login. [AUTH-010] [AUTH-011] [AUTH-014]
    fn proof(
        &self,
        provider: &Provider,
        settings: &Client,
        claims: &Claims,
        asked: Asked<'_>,
        id_token: String,
    ) -> Result<Proof, TokenFault> {
        // Access tokens of the same issuer may have the client among their audiences.
        if claims.kind().is_some_and(|kind| kind == "at+jwt") || claims.text("typ") == Some("Bearer") {
            return Err(TokenFault::Type);
        }
        let party = claims.text("azp");
        if party.is_some_and(|party| party != settings.id) || (claims.texts("aud").len() > 1 && party.is_none()) {
            return Err(TokenFault::AuthorizedParty);
        }
        if claims.text("nonce") != Some(asked.nonce) {
            return Err(TokenFault::Nonce);
        }
        claims.moment("iat")?.ok_or(TokenFault::Claim("iat"))?;
        let now = self.clock.now();
        let auth_time = claims.moment("auth_time")?;
        let acr = claims.text("acr").map(str::to_owned);
        if let Some(after) = asked.after {
            let auth_time = auth_time.ok_or(TokenFault::Claim("auth_time"))?;
            if auth_time <= after {
                return Err(TokenFault::Authentication("older than what there is to decide"));
            }
            let one_of = |acr: &String| settings.acr_values.contains(acr);
            if !settings.acr_values.is_empty() && !acr.as_ref().is_some_and(one_of) {
                return Err(TokenFault::Authentication("weaker than what is demanded"));
            }
        }
        if auth_time.is_some_and(|auth_time| auth_time > now.after(LEEWAY)) {
            return Err(TokenFault::Claim("auth_time"));
        }
        Ok(Proof {
            attested: provider.attested(claims)?,
            auth_time: auth_time.map(|auth_time| auth_time.min(now)),
            acr,
            amr: claims.texts("amr").into_iter().map(str::to_owned).collect(),
            id_token,
        })
    }
}

type Redeemed =
    Result<StandardTokenResponse<IdToken, BasicTokenType>, RequestTokenError<ProviderError, BasicErrorResponse>>;

/// Redeems a code. Owns what it goes by: a borrow that lives across the library's future could not be sent.
async fn redeem(web: Web, connect: Connect, code: AuthorizationCode, verifier: PkceCodeVerifier) -> Redeemed {
    let send = |request| {
        let web = web.clone();
        async move { web.send(request).await }
    };
    connect.exchange_code(code).set_pkce_verifier(verifier).request_async(&send).await
}

fn login_of(provider: &Provider) -> Result<&Client, ProviderError> {
    let missing =
        || ProviderError::Answer(format!("`{}` has no `client-id`: nobody logs in there", provider.settings.id));
    provider.settings.login.as_ref().ok_or_else(missing)
}

fn connect(settings: &Client, metadata: &Metadata, redirect: &str) -> Result<Connect, ProviderError> {
    let named = |endpoint: &Option<String>, name: &str| {
        endpoint.clone().ok_or_else(|| ProviderError::Answer(format!("it publishes no `{name}`")))
    };
    let malformed = |error: oauth2::url::ParseError| ProviderError::Answer(error.to_string());
    let authorization = named(&metadata.authorization_endpoint, "authorization_endpoint")?;
    let token = named(&metadata.token_endpoint, "token_endpoint")?;
    let mut connect = OAuthClient::new(ClientId::new(settings.id.clone()))
        .set_auth_uri(AuthUrl::new(authorization).map_err(malformed)?)
        .set_token_uri(TokenUrl::new(token).map_err(malformed)?)
        .set_redirect_uri(RedirectUrl::new(redirect.to_owned()).map_err(malformed)?);
    if let Some(secret) = &settings.secret {
        connect = connect.set_client_secret(ClientSecret::new(secret.read_there()?.trim().to_owned()));
        // Where nothing is said, it is Basic. [OpenID Connect Discovery 1.0, 3]
        let methods = &metadata.token_endpoint_auth_methods_supported;
        if !methods.is_empty() && !methods.iter().any(|method| method == "client_secret_basic") {
            connect = connect.set_auth_type(AuthType::RequestBody);
        }
    }
    Ok(connect)
}

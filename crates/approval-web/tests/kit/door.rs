//! What stands before an endpoint: tokens of a file and of an identity provider, on a clock that stands still.

use std::path::Path;
use std::sync::Arc;

use approval_core::Clock as _;
use approval_core::transient::SealedTransient;
use approval_testkit::{FakeClock, MemoryTransient, test_key_ring};
use approval_web::{BearerGuard, BearerVerifier, ProtectedResource, ProviderTokens, Providers, TokenFile};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::issuer::Issuer;
use super::write_private;

pub const RESOURCE: &str = "https://mcp.example/mcp";

/// What a challenge says of where to get a token.
pub const METADATA: &str = r#"resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp""#;

pub struct Door {
    pub issuer: Issuer,
    pub clock: FakeClock,
    pub providers: Providers,
    pub file: TokenFile,
    pub guard: BearerGuard,
    pub folder: TempDir,
}

impl Door {
    pub async fn new() -> Self {
        let issuer = Issuer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let (providers, clock) = open(folder.path(), &settings(&issuer));
        let file = TokenFile::open(folder.path().join("tokens.toml"), Arc::new(clock.clone()));
        let any: Vec<Arc<dyn BearerVerifier>> =
            vec![Arc::new(file.clone()), Arc::new(ProviderTokens::new(providers.clone()))];
        let resource = ProtectedResource::new(RESOURCE, [issuer.url.clone()]).unwrap().scope("mcp").unwrap();
        let guard = BearerGuard::new(Arc::new(any)).resource(resource.name("Example"));
        Self { issuer, clock, providers, file, guard, folder }
    }

    /// What a good token of the provider says.
    pub fn claims(&self) -> Value {
        let now = self.clock.now().unix_millis() / 1000;
        json!({
            "iss": self.issuer.url, "aud": RESOURCE, "sub": "4711", "preferred_username": "dora",
            "iat": now, "exp": now + 300, "client_id": "agent", "scope": "openid mcp",
            "realm_access": { "roles": ["dev"] },
        })
    }

    /// A token that says something else in one place.
    pub fn with(&self, member: &str, value: Value) -> String {
        let mut claims = self.claims();
        claims[member] = value;
        self.issuer.key.sign(&claims)
    }
}

/// The providers of a file with this text, and their clock.
pub fn open(folder: &Path, text: &str) -> (Providers, FakeClock) {
    let clock = FakeClock::new();
    let sealed = SealedTransient::new(
        Arc::new(MemoryTransient::default()),
        Arc::new(test_key_ring()),
        approval_core::Audience::from("urn:uuid:019ab12c-0000-4000-8000-000000000001"),
    );
    let path = folder.join("providers.toml");
    write_private(&path, text);
    (Providers::open(path, sealed, Arc::new(clock.clone())).unwrap(), clock)
}

fn settings(issuer: &Issuer) -> String {
    format!(
        "[[provider]]\nid = \"sso\"\nissuer = \"{}\"\nresource = \"{RESOURCE}\"\nresource-scope = \"mcp\"\n\
         client-id = \"mutation-approval\"\nalgorithms = [\"ES256\"]\nperson-claim = \"preferred_username\"\n\
         groups-claim = \"/realm_access/roles\"\n",
        issuer.url
    )
}

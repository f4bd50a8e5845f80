//! Whoever changes Keycloak's realm while the surface runs, by its admin interface.

use anyhow::{Context as _, Result, ensure};
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

/// The kind of Keycloak's component that makes keys, and the one that makes those of RS256.
const KEYS: &str = "org.keycloak.keys.KeyProvider";
const RSA: &str = "rsa-generated";

#[derive(Debug)]
pub(crate) struct Administrator<'a> {
    pub(crate) client: &'a reqwest::Client,
    /// The address of the realm.
    pub(crate) realm: String,
    pub(crate) token: String,
}

impl Administrator<'_> {
    /// Takes a user into a group.
    pub(crate) async fn add_to(&self, group: &str, name: &str) -> Result<()> {
        self.membership(Method::PUT, group, name).await
    }

    /// Takes a user out of a group.
    pub(crate) async fn remove_from(&self, group: &str, name: &str) -> Result<()> {
        self.membership(Method::DELETE, group, name).await
    }

    /// Lets a user log in, or no longer.
    pub(crate) async fn enable(&self, name: &str, enabled: bool) -> Result<()> {
        let user = self.user(name).await?;
        self.send(Method::PUT, &format!("users/{user}"), Some(json!({ "enabled": enabled }))).await?;
        Ok(())
    }

    /// Signs with a new key from now on, and publishes the old one no longer.
    pub(crate) async fn change_keys(&self) -> Result<()> {
        let known = self.found(&format!("components?type={KEYS}")).await?;
        let config = json!({ "priority": ["200"], "algorithm": ["RS256"], "active": ["true"], "enabled": ["true"] });
        let newer = json!({ "name": "newer", "providerId": RSA, "providerType": KEYS, "config": config });
        self.send(Method::POST, "components", Some(newer)).await?;
        let old: Vec<_> = known.iter().filter(|known| text(known, "providerId") == Some(RSA)).collect();
        ensure!(!old.is_empty(), "there was no key");
        for component in old {
            let id = text(component, "id").context("no id")?;
            self.send(Method::DELETE, &format!("components/{id}"), None).await?;
        }
        Ok(())
    }

    async fn membership(&self, method: Method, group: &str, name: &str) -> Result<()> {
        let user = self.user(name).await?;
        let groups = self.found(&format!("groups?exact=true&search={group}")).await?;
        let group = groups.first().and_then(|group| text(group, "id")).context("no such group")?;
        self.send(method, &format!("users/{user}/groups/{group}"), None).await?;
        Ok(())
    }

    async fn user(&self, name: &str) -> Result<String> {
        let users = self.found(&format!("users?exact=true&username={name}")).await?;
        Ok(users.first().and_then(|user| text(user, "id")).context("no such user")?.to_owned())
    }

    async fn found(&self, path: &str) -> Result<Vec<Value>> {
        Ok(serde_json::from_str(&self.send(Method::GET, path, None).await?)?)
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<String> {
        let url = format!("{}/{path}", self.realm);
        let mut request = self.client.request(method, &url).header(AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "`{url}` answers {status}: {body}");
        Ok(body)
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

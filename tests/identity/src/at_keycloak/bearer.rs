//! Agents that bring a token.

use anyhow::{Context as _, Result, bail};
use approval_core::record::Verdict;
use approval_core::{Clock as _, DecisionRequest, SystemClock};
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, StatusCode};

use super::Stage;
use crate::browser::{Browser, From};
use crate::checks::{same, says, told};
use crate::keycloak::token;
use crate::site::{OTHERS, OWN, second_after, until};

/// RFC 9728 and RFC 6750. [SURF-010]
pub(super) async fn access_tokens(stage: &Stage) -> Result<()> {
    let Stage { site, keycloak, .. } = stage;
    for name in ["ada", "dora"] {
        let tokens = keycloak.tokens("agent", name).await?;
        let answer = site.ask("/mcp", Some(token(&tokens, "access_token")?), "").await?;
        same("the answer", (answer.status, answer.body.as_str()), (StatusCode::OK, name))?;
    }
    let answer = site.ask("/mcp", None, "").await?;
    same("the answer to nobody", answer.status, StatusCode::UNAUTHORIZED)?;
    let metadata = site.resource.join("/.well-known/oauth-protected-resource/mcp")?;
    same("the challenge", answer.challenge, format!("Bearer resource_metadata=\"{metadata}\""))?;
    let mut browser = Browser::new()?;
    let answer = browser.get(&metadata, From::Elsewhere).await?;
    let found: serde_json::Value = serde_json::from_str(&answer.body)?;
    same("the resource", found.get("resource").and_then(|value| value.as_str()), Some(site.resource.as_str()))?;
    let servers = found.get("authorization_servers").cloned();
    same("the authorization servers", servers, Some(serde_json::json!([keycloak.issuer])))
}

/// [SURF-010]
pub(super) async fn at_the_wrong_door(stage: &Stage) -> Result<()> {
    let Stage { site, keycloak, .. } = stage;
    let tokens = keycloak.tokens("agent", "dora").await?;
    let token = token(&tokens, "access_token")?;
    let mut dora = stage.logged_in("dora").await?;
    // Cookies know no ports: it would show them there too.
    let cookies = dora.browser.cookies_for(&site.resource, From::Own)?.context("no cookies")?;
    let cookies: HeaderMap = [(COOKIE, cookies)].into_iter().collect();
    let answer = site.ask_with("/mcp", cookies.clone(), "").await?;
    same("the endpoint, by cookie", answer.status, StatusCode::UNAUTHORIZED)?;
    let answer = Browser::bearing(token)?.get(&site.page("/")?, From::Own).await?;
    same("the surface, by token", answer.location()?.path(), "/login")?;
    // Each is good where it belongs, and neither does harm elsewhere.
    same("the surface, by cookie", dora.is_logged_in().await?, true)?;
    let both = cookies.into_iter().chain([(Some(AUTHORIZATION), format!("Bearer {token}").parse()?)]);
    let both = both.filter_map(|(name, value)| Some((name?, value))).collect();
    same("the endpoint, by token", site.ask_with("/mcp", both, "").await?.status, StatusCode::OK)
}

pub(super) async fn other_tokens(stage: &Stage) -> Result<()> {
    let Stage { site, keycloak, .. } = stage;
    let tokens = keycloak.tokens("agent", "dora").await?;
    let elsewhere = keycloak.tokens("agent-of-another-resource", "dora").await?;
    let nowhere = keycloak.tokens("agent-of-no-resource", "dora").await?;
    let robot = keycloak.own_tokens("robot").await?;
    let good = token(&tokens, "access_token")?;
    let (claimed, _) = good.rsplit_once('.').context("no signature")?;
    let (_, signature) = token(&elsewhere, "access_token")?.rsplit_once('.').context("no signature")?;
    let forged = format!("{claimed}.{signature}");
    let before = site.kept().await?;
    for (what, token, why) in [
        ("a token for another resource", token(&elsewhere, "access_token")?, "it is for another audience"),
        ("a token for no resource", token(&nowhere, "access_token")?, "its claim `aud` is missing"),
        // It has the audience too.
        ("an ID token", token(&tokens, "id_token")?, "it is a token for something else"),
        ("a refresh token", token(&tokens, "refresh_token")?, "its algorithm is not one of those"),
        ("a service account's token", token(&robot, "access_token")?, "it stands for nobody who is a person here"),
        ("a token with the signature of another", &forged, "its signature is wrong"),
    ] {
        site.heard.take();
        let answer = site.ask("/mcp/plan", Some(token), OTHERS).await.context(what)?;
        same(what, (answer.status, answer.body.as_str()), (StatusCode::UNAUTHORIZED, ""))?;
        let metadata = site.resource.join("/.well-known/oauth-protected-resource/mcp")?;
        let challenge = format!("Bearer error=\"invalid_token\", resource_metadata=\"{metadata}\"");
        same("the challenge", answer.challenge, challenge).context(what)?;
        told(&site.heard.take(), why).context(what)?;
    }
    site.unchanged(&before).await?;
    same("the control", site.ask("/mcp", Some(good), "").await?.status, StatusCode::OK)
}

/// The surface's tokens name groups and the agent's don't: what is known from a login stays.
pub(super) async fn without_groups(stage: &Stage) -> Result<()> {
    let Stage { site, keycloak, .. } = stage;
    let mut dora = stage.logged_in("dora").await?;
    let plan = stage.plan().await?;
    stage.approve(&mut dora, &plan).await?;
    let another = stage.plan().await?;
    // A token that isn't newer than the login would change nothing anyway.
    until(second_after(SystemClock.now())).await;
    let tokens = keycloak.tokens("agent", "dora").await?;
    same("the agent", site.ask("/mcp", Some(token(&tokens, "access_token")?), "").await?.status, StatusCode::OK)?;
    says(&dora.open(&another).await?, StatusCode::OK, "Your decision")?;
    let tokens = keycloak.tokens("agent", "ada").await?;
    let told = site.ask("/mcp/execute", Some(token(&tokens, "access_token")?), &plan.id.to_string()).await?;
    same("the execution", (told.status, told.body.as_str()), (StatusCode::OK, "Applied"))
}

/// [PERSON-001]
pub(super) async fn one_person(stage: &Stage) -> Result<()> {
    let Stage { site, keycloak, .. } = stage;
    let tokens = keycloak.tokens("agent", "dora").await?;
    let agent = token(&tokens, "access_token")?;
    let mut dora = stage.logged_in("dora").await?;

    // Where requesters decide for themselves, she does.
    let own = site.plan_by(agent, OWN).await?;
    stage.approve(&mut dora, &own).await?;
    let view = site.look(&own).await?;
    let approver = view.decisions.first().context("no decision")?.approver.clone();
    let identity = &own.requester.identity;
    same("the person", &approver.person, &identity.person)?;
    same("the issuer", &approver.issuer, &identity.issuer)?;
    same("the subject", &approver.subject, &identity.subject)?;
    let told = site.ask("/mcp/execute", Some(agent), &own.id.to_string()).await?;
    same("the execution", (told.status, told.body.as_str()), (StatusCode::OK, "Applied"))?;

    // Where somebody else must, she doesn't, though she is in the group.
    let others = site.plan_by(agent, OTHERS).await?;
    site.wait_for(&others).await?;
    let page = dora.open(&others).await?;
    same("the answer", page.status, StatusCode::OK)?;
    same("whether there is something to decide", page.hidden("form").is_ok(), false)?;
    let before = site.kept().await?;
    let posted = dora.post(&format!("/plans/{}", others.id), &[("form", "form"), ("verdict", "approve")]).await?;
    says(&posted, StatusCode::FORBIDDEN, "This form is no longer good")?;
    // And not where she gets past the page.
    let view = site.look(&others).await?;
    let challenge = view.challenge.context("no challenge")?;
    let request = DecisionRequest {
        plan_id: others.id,
        challenge_id: challenge.challenge_id,
        plan_digest: others.digest,
        approver: approval_core::record::Approver {
            auth_time: challenge.created_at.after(std::time::Duration::from_millis(1)),
            ..approver
        },
        verdict: Verdict::Approve,
        comment: None,
        rendered_at: challenge.created_at.after(std::time::Duration::from_millis(1)),
    };
    site.unchanged(&before).await?;
    match site.approvals.decide(request).await {
        Err(refusal) => same("the reason", refusal.reason().code(), "approver_not_permitted")?,
        Ok(_) => bail!("she decided on her own plan"),
    }
    same("the decisions", site.look(&others).await?.decisions, Vec::new())?;
    same("the plan", site.state(&others).await?, "awaiting_approval")
}

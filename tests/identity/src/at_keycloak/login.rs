//! Logins for a session.

use anyhow::{Result, ensure};
use http::StatusCode;

use super::Stage;
use crate::browser::From;
use crate::checks::{same, says};
use crate::keycloak::asks;
use crate::visitor::{Left, Visitor, changed};

/// [AUTH-001] [AUTH-007] [AUTH-014]
pub(super) async fn opens_a_session(stage: &Stage) -> Result<()> {
    let mut dora = Visitor::new(&stage.site)?;
    says(&dora.get("/login").await?, StatusCode::OK, "Log in at Keycloak")?;
    same("whether she is logged in", dora.is_logged_in().await?, false)?;
    let left = dora.leave("/mine").await?;
    same("the method", left.value("code_challenge_method").as_deref(), Some("S256"))?;
    same("the redirect URI", left.value("redirect_uri"), Some(stage.site.callback()?))?;
    same("the prompt", left.value("prompt"), None)?;

    // A wrong password leads nowhere.
    let form = stage.keycloak.visit(&mut dora.browser, &left).await?;
    let wrong = dora.browser.post(&form.action()?, &[("username", "dora"), ("password", "wrong")]).await?;
    says(&wrong, StatusCode::OK, "Invalid username or password")?;
    let callback = stage.keycloak.fill_in(&mut dora.browser, &wrong, "dora").await?.location()?;
    let page = dora.come_back(&callback).await?;
    same("where it goes on", page.onward()?, stage.site.page("/mine")?)?;
    says(&dora.get("/").await?, StatusCode::OK, "dora")
}

/// [AUTH-001]
pub(super) async fn ends_the_session_before(stage: &Stage) -> Result<()> {
    let mut dora = stage.logged_in("dora").await?;
    let mut before = dora.clone();
    again(stage, &mut dora).await?;
    ensure!(dora.browser.session()? != before.browser.session()?, "the session has the name of the one before");
    same("whether the session before is good", before.is_logged_in().await?, false)?;

    // A session of Eve's that she has planted in Dora's browser.
    let mut eve = stage.logged_in("eve").await?;
    let planted = eve.browser.session()?.clone();
    dora.browser.session()?.clone_from(&planted);
    says(&dora.get("/").await?, StatusCode::OK, "eve")?;
    again(stage, &mut dora).await?;
    ensure!(*dora.browser.session()? != planted, "the session has the name that was planted");
    says(&dora.get("/").await?, StatusCode::OK, "dora")?;
    same("whether the planted session is good", eve.is_logged_in().await?, false)
}

/// Whoever is logged in there isn't asked anything.
async fn again(stage: &Stage, visitor: &mut Visitor<'_>) -> Result<()> {
    let left = visitor.leave("").await?;
    let callback = stage.keycloak.visit(&mut visitor.browser, &left).await?.location()?;
    visitor.come_back(&callback).await?.onward()?;
    same("whether somebody is logged in", visitor.is_logged_in().await?, true)
}

/// [AUTH-014]
pub(super) async fn without_pkce(stage: &Stage) -> Result<()> {
    let before = stage.site.kept().await?;
    let changes: [fn(&Left) -> Left; 3] = [
        |left| left.without(&["code_challenge", "code_challenge_method"]),
        |left| left.without(&["code_challenge"]),
        |left| left.with("code_challenge_method", "plain"),
    ];
    for change in changes {
        let mut visitor = Visitor::new(&stage.site)?;
        let left = visitor.leave("").await?;
        let sent_back = stage.keycloak.visit(&mut visitor.browser, &change(&left)).await?.location()?;
        ensure!(sent_back.as_str().contains("error=invalid_request"), "it leads to `{sent_back}`");
        visitor.refused(&sent_back, StatusCode::FORBIDDEN, "invalid_request", &before).await?;
        // The control: what the surface asked for is granted.
        let left = visitor.leave("").await?;
        asks(&stage.keycloak.visit(&mut visitor.browser, &left).await?)?;
    }
    Ok(())
}

/// [AUTH-003]
pub(super) async fn of_a_disabled_user(stage: &Stage) -> Result<()> {
    let mut gone = Visitor::new(&stage.site)?;
    let left = gone.leave("").await?;
    let form = stage.keycloak.visit(&mut gone.browser, &left).await?;
    asks(&form)?;
    let answer = stage.keycloak.fill_in(&mut gone.browser, &form, "gone").await?;
    says(&answer, StatusCode::OK, "Account is disabled")?;
    same("whether they are logged in", gone.is_logged_in().await?, false)?;
    // The control: the same form takes somebody else.
    let callback = stage.keycloak.fill_in(&mut gone.browser, &answer, "eve").await?.location()?;
    gone.come_back(&callback).await?.onward()?;
    same("whether she is logged in", gone.is_logged_in().await?, true)
}

/// [AUTH-014]
pub(super) async fn twice(stage: &Stage) -> Result<()> {
    let mut dora = Visitor::new(&stage.site)?;
    let left = dora.leave("").await?;
    let callback = stage.keycloak.log_in(&mut dora.browser, &left, "dora").await?;
    dora.come_back(&callback).await?.onward()?;
    let before = stage.site.kept().await?;
    dora.unfit(&callback, "no such login is under way", &before).await?;
    // The code that was redeemed, brought to another login.
    let again = Visitor::new(&stage.site)?.leave("").await?;
    let mut other = Visitor::new(&stage.site)?;
    let left = other.leave("").await?;
    let injected = with_state_of(&callback, &left)?;
    other.refused(&injected, StatusCode::FORBIDDEN, "the identity provider refuses: invalid_grant", &before).await?;
    // And one that isn't of this browser.
    other.unfit(&with_state_of(&callback, &again)?, "another browser began it", &before).await
}

/// [AUTH-014]
pub(super) async fn of_another_browser(stage: &Stage) -> Result<()> {
    let before = stage.site.kept().await?;
    let (mut eve, mut dora) = (Visitor::new(&stage.site)?, Visitor::new(&stage.site)?);
    let callback = |left: Left, mut visitor: Visitor<'_>| async move {
        stage.keycloak.log_in(&mut visitor.browser, &left, "eve").await
    };
    // A link to the end of Eve's login, which would log Dora in as her.
    let left = eve.leave("").await?;
    let link = callback(left, eve.clone()).await?;
    dora.unfit(&link, "another browser began it", &before).await?;
    // It ends nobody's login: Eve's own goes on.
    eve.come_back(&link).await?.onward()?;
    same("whether Eve is logged in", eve.is_logged_in().await?, true)?;
    let (before, mut eve) = (stage.site.kept().await?, Visitor::new(&stage.site)?);
    // Eve's code, not redeemed yet, in the answer to a login of Dora's own: PKCE tells them apart.
    let left = eve.leave("").await?;
    let link = callback(left, eve.clone()).await?;
    let left = dora.leave("").await?;
    let injected = with_state_of(&link, &left)?;
    dora.refused(&injected, StatusCode::FORBIDDEN, "the identity provider refuses: invalid_grant", &before).await?;
    // The control.
    let left = dora.leave("").await?;
    let callback = stage.keycloak.log_in(&mut dora.browser, &left, "dora").await?;
    dora.come_back(&callback).await?.onward()?;
    same("whether she is logged in", dora.is_logged_in().await?, true)
}

/// [AUTH-014]
pub(super) async fn of_another_issuer(stage: &Stage) -> Result<()> {
    let before = stage.site.kept().await?;
    let changes: [fn(&str, &str) -> Option<String>; 2] = [
        |name, value| Some(if name == "iss" { "https://evil.example" } else { value }.to_owned()),
        |name, value| (name != "iss").then(|| value.to_owned()),
    ];
    for change in changes {
        let mut dora = Visitor::new(&stage.site)?;
        let left = dora.leave("").await?;
        let callback = stage.keycloak.log_in(&mut dora.browser, &left, "dora").await?;
        dora.unfit(&changed(&callback, change), "the answer is of another issuer", &before).await?;
    }
    Ok(())
}

/// [AUTH-002]
pub(super) async fn logout(stage: &Stage) -> Result<()> {
    let mut dora = stage.logged_in("dora").await?;
    let mut stolen = dora.clone();
    // The control: who is logged in there isn't asked again for a session.
    let silently =
        |left: Left, mut visitor: Visitor<'_>| async move { stage.keycloak.visit(&mut visitor.browser, &left).await };
    let left = dora.leave("").await?;
    let back = silently(left, dora.clone()).await?.location()?;
    ensure!(back.as_str().starts_with(&stage.site.callback()?), "it leads to `{back}`");

    let page = dora.post("/logout", &[]).await?;
    says(&page, StatusCode::OK, "At Keycloak you may still be logged in")?;
    same("whether she is logged in", dora.is_logged_in().await?, false)?;
    same("whether the session's cookie is good", stolen.is_logged_in().await?, false)?;
    let left = dora.leave("").await?;
    silently(left, dora.clone()).await?.location()?;

    let ended = dora.browser.get(&page.link("id_token_hint")?, From::Elsewhere).await?;
    same("where the logout leads", ended.location()?, stage.site.page("/login")?)?;
    for mut visitor in [dora, stolen] {
        let left = visitor.leave("").await?;
        asks(&stage.keycloak.visit(&mut visitor.browser, &left).await?)?;
    }
    Ok(())
}

/// An answer in the place of another.
fn with_state_of(callback: &reqwest::Url, left: &Left) -> Result<reqwest::Url> {
    let state = left.value("state").unwrap_or_default();
    Ok(changed(callback, |name, value| Some(if name == "state" { state.clone() } else { value.to_owned() })))
}

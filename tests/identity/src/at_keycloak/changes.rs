//! What changes while persons are logged in: the operator's file, and the realm.

use anyhow::{Context as _, Result, ensure};
use http::StatusCode;

use super::Stage;
use crate::checks::{same, says, told};
use crate::keycloak::token;
use crate::site::until;
use crate::visitor::Visitor;

/// The file says who somebody is, and who is nobody.
const PERSONS: &str = "[[provider.person]]\nvalue = \"dora\"\nperson = \"theodora\"\n\n\
                       [[provider.person]]\nvalue = \"fay\"\nperson = \"fay\"\ndisabled = true\n";

/// [PERSON-001] [AUTH-003]
pub(super) async fn of_persons(stage: &Stage) -> Result<()> {
    let Stage { site, keycloak, .. } = stage;
    let plan = stage.plan().await?;
    let (mut dora, mut eve) = (stage.logged_in("dora").await?, stage.logged_in("eve").await?);
    let before = site.kept().await?;
    let check = async {
        for (name, visitor) in [("dora", &mut dora), ("eve", &mut eve)] {
            same(name, visitor.is_logged_in().await?, false)?;
        }
        for name in ["eve", "fay"] {
            let mut visitor = Visitor::new(site)?;
            let left = visitor.leave("").await?;
            let callback = keycloak.log_in(&mut visitor.browser, &left, name).await?;
            let nobody = "it stands for nobody who is a person here";
            visitor.refused(&callback, StatusCode::FORBIDDEN, nobody, &before).await.context(name)?;
        }
        let tokens = keycloak.tokens("agent", "eve").await?;
        site.heard.take();
        let answer = site.ask("/mcp", Some(token(&tokens, "access_token")?), "").await?;
        same("the answer to Eve's agent", answer.status, StatusCode::UNAUTHORIZED)?;
        told(&site.heard.take(), "it stands for nobody who is a person here")?;

        let tokens = keycloak.tokens("agent", "dora").await?;
        let answer = site.ask("/mcp", Some(token(&tokens, "access_token")?), "").await?;
        same("the answer", (answer.status, answer.body.as_str()), (StatusCode::OK, "theodora"))?;
        let mut theodora = stage.logged_in("dora").await?;
        says(&theodora.get("/").await?, StatusCode::OK, "theodora")?;
        stage.approve(&mut theodora, &plan).await?;
        let view = site.look(&plan).await?;
        let approver = &view.decisions.first().context("no decision")?.approver;
        same("the person", approver.person.as_str(), "theodora")?;
        Ok(theodora)
    };
    let mut theodora = stage.with_settings(PERSONS, check).await?;
    same("whether Theodora is logged in", theodora.is_logged_in().await?, false)
}

/// Whoever decides has logged in just then, so what counts is what Keycloak says then. [SURF-001]
pub(super) async fn of_groups(stage: &Stage) -> Result<()> {
    let Stage { site, keycloak, .. } = stage;
    let administrator = keycloak.administrator().await?;
    let plan = stage.plan().await?;
    let mut eve = stage.logged_in("eve").await?;
    administrator.add_to("sre", "eve").await?;
    same("what her login lets her see", eve.open(&plan).await?.status, StatusCode::NOT_FOUND)?;
    let mut eve = stage.logged_in("eve").await?;
    says(&eve.open(&plan).await?, StatusCode::OK, "Your decision")?;

    let left = eve.leave_to_decide(&plan, "approve").await?;
    administrator.remove_from("sre", "eve").await?;
    let before = site.kept().await?;
    let callback = keycloak.log_in(&mut eve.browser, &left, "eve").await?;
    eve.refused(&callback, StatusCode::NOT_FOUND, "There is no such page for you", &before).await?;
    same("what her new login lets her see", eve.open(&plan).await?.status, StatusCode::NOT_FOUND)?;
    same("the plan", site.state(&plan).await?, "awaiting_approval")?;

    // The control: nobody took the group away.
    administrator.add_to("sre", "eve").await?;
    let mut eve = stage.logged_in("eve").await?;
    let left = eve.leave_to_decide(&plan, "approve").await?;
    let callback = keycloak.log_in(&mut eve.browser, &left, "eve").await?;
    let page = eve.come_back(&callback).await?;
    eve.confirm(&plan, &page).await?.location()?;
    same("the plan", site.state(&plan).await?, "approved")?;
    administrator.remove_from("sre", "eve").await
}

/// A session here lasts, but decides nothing. [AUTH-010]
pub(super) async fn of_who_may_log_in(stage: &Stage) -> Result<()> {
    let Stage { site, keycloak, .. } = stage;
    let administrator = keycloak.administrator().await?;
    let mut dora = stage.logged_in("dora").await?;
    let plan = stage.plan().await?;
    let before = site.kept().await?;
    administrator.enable("dora", false).await?;
    let left = dora.leave_to_decide(&plan, "approve").await?;
    keycloak.forget(&mut dora.browser);
    let form = keycloak.visit(&mut dora.browser, &left).await?;
    let answer = keycloak.fill_in(&mut dora.browser, &form, "dora").await?;
    says(&answer, StatusCode::OK, "Account is disabled")?;
    site.unchanged(&before).await?;
    same("the plan", site.state(&plan).await?, "awaiting_approval")?;
    // The control: the same login.
    administrator.enable("dora", true).await?;
    let callback = keycloak.fill_in(&mut dora.browser, &answer, "dora").await?.location()?;
    let page = dora.come_back(&callback).await?;
    dora.confirm(&plan, &page).await?.location()?;
    same("the plan", site.state(&plan).await?, "approved")
}

/// [AUTH-014]
pub(super) async fn of_keys(stage: &Stage) -> Result<()> {
    let Stage { site, keycloak, .. } = stage;
    let old = keycloak.tokens("agent", "dora").await?;
    let old = token(&old, "access_token")?;
    same("the old token", site.ask("/mcp", Some(old), "").await?.status, StatusCode::OK)?;
    // What the surface fetched a moment ago it would not fetch again.
    until(stage.fetched_at.after(super::PAUSE)).await;
    keycloak.administrator().await?.change_keys().await?;
    let new = keycloak.tokens("agent", "dora").await?;
    let new = token(&new, "access_token")?;
    ensure!(new.split('.').next() != old.split('.').next(), "the tokens name one key");
    let answer = site.ask("/mcp", Some(new), "").await?;
    same("the answer", (answer.status, answer.body.as_str()), (StatusCode::OK, "dora"))?;
    site.heard.take();
    same("the old token", site.ask("/mcp", Some(old), "").await?.status, StatusCode::UNAUTHORIZED)?;
    told(&site.heard.take(), "the issuer has published no such key")?;
    let mut dora = stage.logged_in("dora").await?;
    let plan = stage.plan().await?;
    stage.approve(&mut dora, &plan).await?;
    same("the plan", site.state(&plan).await?, "approved")
}

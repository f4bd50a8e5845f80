//! Decisions, each with a login of its own.

use anyhow::{Context as _, Result, ensure};
use approval_core::record::Verdict;
use approval_core::{Clock as _, SystemClock};
use http::StatusCode;

use super::Stage;
use crate::checks::{same, says};
use crate::keycloak::{asks, token};
use crate::visitor::names;

/// [AUTH-010] [AUTH-011] [AUTH-013]
pub(super) async fn by_a_new_login(stage: &Stage) -> Result<()> {
    let Stage { site, keycloak, .. } = stage;
    let mut dora = stage.logged_in("dora").await?;
    let (plan, other) = (stage.plan().await?, stage.plan().await?);
    let before = site.kept().await?;
    let page = dora.open(&plan).await?;
    says(&page, StatusCode::OK, "You log in at Keycloak for this decision")?;
    same("whether a password is asked for", page.hidden("password").is_ok(), false)?;

    let left = dora.leave_to_decide(&plan, "approve").await?;
    for (name, value) in [("prompt", "login"), ("max_age", "0"), ("code_challenge_method", "S256")] {
        same(name, left.value(name).as_deref(), Some(value))?;
    }
    // She is logged in there, and asked again nevertheless.
    ensure!(dora.browser.has("KEYCLOAK_IDENTITY"), "Keycloak knows nobody");
    let form = keycloak.visit(&mut dora.browser, &left).await?;
    asks(&form)?;
    let callback = keycloak.fill_in(&mut dora.browser, &form, "dora").await?.location()?;
    let page = dora.come_back(&callback).await?;
    says(&page, StatusCode::OK, "Approve this plan?")?;
    names(&page, plan.digest)?;
    site.unchanged(&before).await?;

    let decided = dora.confirm(&plan, &page).await?;
    same("where the last word leads", decided.location()?, site.page(&format!("/plans/{}/decided", plan.id))?)?;
    same("the plan", site.state(&plan).await?, "approved")?;
    same("the other plan", site.state(&other).await?, "awaiting_approval")?;
    let view = site.look(&plan).await?;
    let [decision] = view.decisions.as_slice() else { anyhow::bail!("{} decisions", view.decisions.len()) };
    let approver = &decision.approver;
    same("the verdict", decision.verdict, Verdict::Approve)?;
    same("the person", approver.person.as_str(), "dora")?;
    same("the issuer", &approver.issuer, &keycloak.issuer)?;
    ensure!(approver.subject.len() == 36 && approver.subject != "dora", "the subject is `{}`", approver.subject);
    same("the way of logging in", approver.acr.as_deref(), Some("pwd"))?;
    let challenge = view.challenge.context("no challenge")?;
    same("whole seconds of the login", approver.auth_time.unix_millis() % 1000, 0)?;
    ensure!(challenge.created_at < approver.auth_time && approver.auth_time <= SystemClock.now(), "{approver:?}");

    let tokens = keycloak.tokens("agent", "ada").await?;
    let told = site.ask("/mcp/execute", Some(token(&tokens, "access_token")?), &plan.id.to_string()).await?;
    same("the execution", (told.status, told.body.as_str()), (StatusCode::OK, "Applied"))?;
    same("the effects", site.kept().await?.effects, before.effects + 1)
}

/// [SURF-001]
pub(super) async fn by_groups(stage: &Stage) -> Result<()> {
    let plan = stage.plan().await?;
    let before = stage.site.kept().await?;
    let (mut dora, mut eve) = (stage.logged_in("dora").await?, stage.logged_in("eve").await?);
    let address = format!("/plans/{}", plan.id);
    says(&dora.get("/").await?, StatusCode::OK, &address)?;
    says(&dora.open(&plan).await?, StatusCode::OK, "Your decision")?;
    let page = eve.get("/").await?;
    ensure!(page.status == StatusCode::OK && !page.body.contains(&address), "{}", page.text());
    let hidden = eve.open(&plan).await?;
    same("the answer", hidden.status, StatusCode::NOT_FOUND)?;
    let nowhere = eve.get("/plans/01981b5e-0000-7000-8000-000000000000").await?;
    same("the words", hidden.text(), nowhere.text())?;
    let posted = eve.post(&address, &[("form", "form"), ("verdict", "approve")]).await?;
    same("the answer to a decision", posted.status, StatusCode::NOT_FOUND)?;
    stage.site.unchanged(&before).await?;
    stage.approve(&mut dora, &plan).await?;
    same("the plan", stage.site.state(&plan).await?, "approved")
}

/// Somebody takes away what asks for a new login, and Keycloak answers without a word. [AUTH-010] [AUTH-011]
pub(super) async fn by_an_old_login(stage: &Stage) -> Result<()> {
    let mut dora = stage.logged_in("dora").await?;
    let plan = stage.plan().await?;
    let before = stage.site.kept().await?;
    let left = dora.leave_to_decide(&plan, "approve").await?.without(&["prompt", "max_age"]);
    let callback = stage.keycloak.visit(&mut dora.browser, &left).await?.location()?;
    let refused = "the ID token is not good: the login is older than what there is to decide";
    dora.refused(&callback, StatusCode::FORBIDDEN, refused, &before).await?;
    let left = dora.leave_to_decide(&plan, "approve").await?.without(&["max_age"]).with("prompt", "none");
    let callback = stage.keycloak.visit(&mut dora.browser, &left).await?.location()?;
    dora.refused(&callback, StatusCode::FORBIDDEN, refused, &before).await?;
    // Either of the two is enough for it to ask.
    for taken in ["prompt", "max_age"] {
        let left = dora.leave_to_decide(&plan, "approve").await?.without(&[taken]);
        asks(&stage.keycloak.visit(&mut dora.browser, &left).await?).context(taken)?;
    }
    same("the plan", stage.site.state(&plan).await?, "awaiting_approval")?;
    stage.approve(&mut dora, &plan).await?;
    same("the plan", stage.site.state(&plan).await?, "approved")
}

/// Where a login is to be by two factors, one by the password alone decides nothing. [AUTH-010]
pub(super) async fn by_two_factors(stage: &Stage) -> Result<()> {
    let Stage { site, keycloak, .. } = stage;
    // For a session the password is enough.
    let mut fay = stage.logged_in("fay").await?;
    let plan = stage.plan().await?;
    let before = site.kept().await?;
    let check = async {
        let left = fay.leave_to_decide(&plan, "approve").await?;
        same("what is demanded", left.value("acr_values").as_deref(), Some("mfa"))?;
        let weaker = left.without(&["acr_values"]);
        let callback = keycloak.log_in(&mut fay.browser, &weaker, "fay").await?;
        let refused = "the ID token is not good: the login is weaker than what is demanded";
        fay.refused(&callback, StatusCode::FORBIDDEN, refused, &before).await?;
        same("the plan", site.state(&plan).await?, "awaiting_approval")?;

        let left = fay.leave_to_decide(&plan, "approve").await?;
        let form = keycloak.visit(&mut fay.browser, &left).await?;
        asks(&form)?;
        let form = keycloak.fill_in(&mut fay.browser, &form, "fay").await?;
        let callback = keycloak.give_code(&mut fay.browser, &form).await?;
        let page = fay.come_back(&callback).await?;
        fay.confirm(&plan, &page).await?.location()?;
        same("the plan", site.state(&plan).await?, "approved")?;
        let view = site.look(&plan).await?;
        let approver = &view.decisions.first().context("no decision")?.approver;
        same("the way of logging in", approver.acr.as_deref(), Some("mfa"))
    };
    stage.with_settings("acr-values = [\"mfa\"]\n", check).await
}

/// [AUTH-010]
pub(super) async fn of_another_plan(stage: &Stage) -> Result<()> {
    let mut dora = stage.logged_in("dora").await?;
    let (plan, other) = (stage.plan().await?, stage.plan().await?);
    let before = stage.site.kept().await?;
    let nonce = dora.leave_to_decide(&other, "approve").await?.value("nonce").context("no nonce")?;
    let left = dora.leave_to_decide(&plan, "approve").await?;
    ensure!(left.value("nonce").as_ref() != Some(&nonce), "two plans have one nonce");
    let callback = stage.keycloak.log_in(&mut dora.browser, &left.with("nonce", &nonce), "dora").await?;
    let refused = "the ID token is not good: its nonce is of another login";
    dora.refused(&callback, StatusCode::FORBIDDEN, refused, &before).await?;
    for plan in [&plan, &other] {
        same("the plan", stage.site.state(plan).await?, "awaiting_approval")?;
    }
    stage.approve(&mut dora, &plan).await?;
    same("the other plan", stage.site.state(&other).await?, "awaiting_approval")
}

/// [AUTH-010] [AUTH-013]
pub(super) async fn by_somebody_else(stage: &Stage) -> Result<()> {
    let mut dora = stage.logged_in("dora").await?;
    let plan = stage.plan().await?;
    let before = stage.site.kept().await?;
    // Keycloak itself takes nobody else while it knows her.
    let left = dora.leave_to_decide(&plan, "approve").await?;
    let form = stage.keycloak.visit(&mut dora.browser, &left).await?;
    says(&form, StatusCode::OK, "id=\"kc-attempted-username\" value=\"dora\"")?;
    // So somebody else logs in where it has forgotten her.
    let left = dora.leave_to_decide(&plan, "approve").await?;
    stage.keycloak.forget(&mut dora.browser);
    let callback = stage.keycloak.log_in(&mut dora.browser, &left, "eve").await?;
    dora.refused(&callback, StatusCode::FORBIDDEN, "You logged in as somebody else than before", &before).await?;
    same("the plan", stage.site.state(&plan).await?, "awaiting_approval")?;
    // The control: she does.
    stage.keycloak.forget(&mut dora.browser);
    stage.approve(&mut dora, &plan).await?;
    same("the plan", stage.site.state(&plan).await?, "approved")
}

/// [AUTH-013] [AUTH-014] [FORM-002]
pub(super) async fn twice(stage: &Stage) -> Result<()> {
    let mut dora = stage.logged_in("dora").await?;
    let plan = stage.plan().await?;
    let left = dora.leave_to_decide(&plan, "approve").await?;
    let callback = stage.keycloak.log_in(&mut dora.browser, &left, "dora").await?;
    let page = dora.come_back(&callback).await?;
    // Another session of the same person hasn't the last word on it.
    let before = stage.site.kept().await?;
    let mut elsewhere = stage.logged_in("dora").await?;
    let no_longer = "This confirmation is no longer good";
    says(&elsewhere.confirm(&plan, &page).await?, StatusCode::FORBIDDEN, no_longer)?;
    says(&dora.confirm(&plan, &page).await?, StatusCode::FORBIDDEN, no_longer)?;
    stage.site.unchanged(&before).await?;

    let left = dora.leave_to_decide(&plan, "approve").await?;
    let callback = stage.keycloak.log_in(&mut dora.browser, &left, "dora").await?;
    let page = dora.come_back(&callback).await?;
    dora.confirm(&plan, &page).await?.location()?;
    same("the plan", stage.site.state(&plan).await?, "approved")?;
    let before = stage.site.kept().await?;
    says(&dora.confirm(&plan, &page).await?, StatusCode::FORBIDDEN, no_longer)?;
    dora.unfit(&callback, "no such login is under way", &before).await?;
    same("the decisions", stage.site.look(&plan).await?.decisions.len(), 1)
}

/// [FORM-008]
pub(super) async fn rejected(stage: &Stage) -> Result<()> {
    let mut dora = stage.logged_in("dora").await?;
    let plan = stage.plan().await?;
    let left = dora.leave_to_decide_with(&plan, "reject", "not <b>now</b>").await?;
    let callback = stage.keycloak.log_in(&mut dora.browser, &left, "dora").await?;
    let page = dora.come_back(&callback).await?;
    says(&page, StatusCode::OK, "Reject this plan?")?;
    says(&page, StatusCode::OK, "not &#60;b&#62;now")?;
    same("the plan", stage.site.state(&plan).await?, "awaiting_approval")?;
    dora.confirm(&plan, &page).await?.location()?;
    same("the plan", stage.site.state(&plan).await?, "rejected")?;
    let effects = stage.site.kept().await?.effects;
    let tokens = stage.keycloak.tokens("agent", "ada").await?;
    let told = stage.site.ask("/mcp/execute", Some(token(&tokens, "access_token")?), &plan.id.to_string()).await?;
    same("the execution", (told.status, told.body.as_str()), (StatusCode::CONFLICT, "approval_rejected"))?;
    same("the effects", stage.site.kept().await?.effects, effects)
}

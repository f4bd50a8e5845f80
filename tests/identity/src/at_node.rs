//! What a provider can do wrong, and how it is refused.

use std::path::Path;

use anyhow::{Context as _, Result};
use approval_core::{Clock as _, SystemClock, Timestamp};
use http::StatusCode;

use crate::checks::{Checks, same, says, told};
use crate::heard::Heard;
use crate::node::Node;
use crate::site::{Place, Plan, Site, until};
use crate::visitor::{Visitor, names};

/// The surface as a client of the provider: by default, and where ID tokens are to be signed with an elliptic curve.
const CLIENT: &str = "mutation-approval";
const ELLIPTIC: &str = "mutation-approval-elliptic";

/// What it does wrong in an ID token, and the words that refuse it.
const WRONG_TOKENS: [(&str, &str); 20] = [
    ("unsigned", "the ID token is not good: it is no token that can be read"),
    ("signed-with-the-public-key", "the ID token is not good: its algorithm is not one of those"),
    ("unpublished-key", "the ID token is not good: the issuer has published no such key"),
    ("another-key-of-that-name", "the ID token is not good: its signature is wrong"),
    ("key-of-its-own", "the ID token is not good: the issuer has published no such key"),
    ("header-that-must-be-understood", "the ID token is not good: it is no token that can be read"),
    ("called-an-access-token", "the ID token is not good: it is a token for something else"),
    ("another-audience", "the ID token is not good: it is for another audience"),
    ("another-issuer", "the ID token is not good: it is of another issuer"),
    ("another-party", "the ID token is not good: it was issued to another client"),
    ("many-audiences", "the ID token is not good: it was issued to another client"),
    ("no-subject", "the ID token is not good: its claim `sub` is missing"),
    ("expired", "the ID token is not good: it has expired"),
    ("of-tomorrow", "the ID token is not good: its time has not come"),
    ("login-of-tomorrow", "the ID token is not good: its claim `auth_time` is missing, or not what it should be"),
    ("no-nonce", "the ID token is not good: its nonce is of another login"),
    ("another-nonce", "the ID token is not good: its nonce is of another login"),
    ("no-auth-time", "the ID token is not good: its claim `auth_time` is missing"),
    ("old-login", "the ID token is not good: the login is older than what there is to decide"),
    ("weak-login", "the ID token is not good: the login is weaker than what is demanded"),
];

/// What it does wrong when it sends the browser back.
const WRONG_ANSWERS: [&str; 2] = ["answer-of-another-issuer", "answer-of-no-issuer"];

/// A provider, and a site for each state of knowledge about it: what was fetched is believed for a while.
struct Stage {
    node: Node,
    /// Another provider, and a site that knows both.
    other: Node,
    both: Site,
    site: Site,
    rotated: Site,
    unread: Site,
}

pub(crate) async fn run(modules: &Path, script: &Path, heard: &Heard) -> Result<()> {
    let places = [Place::find().await?, Place::find().await?, Place::find().await?, Place::find().await?];
    let (node, other) = (Node::start(modules, script, &places)?, Node::start(modules, script, &places)?);
    let (issuer, settings) = (node.issuer.clone(), node.settings("sso", CLIENT, "RS256"));
    let of_both = format!(
        "{settings}person-prefix = \"here-\"\n\n{}person-prefix = \"there-\"\n",
        other.settings("other", CLIENT, "RS256")
    );
    let open = |place| Site::open(place, &issuer, &settings, heard);
    let [site, rotated, unread, both] = places;
    let both = Site::open(both, &issuer, &of_both, heard).await?;
    let (site, rotated, unread) = (open(site).await?, open(rotated).await?, open(unread).await?);
    let mut stage = Stage { node, other, both, site, rotated, unread };

    let mut checks = Checks::of("oidc-provider");
    // The keys change at the beginning, so that the others pass the time until they are fetched again.
    let mut fetched_at = None;
    checks.check("a new key isn't known for a moment", keys_change(&mut stage, &mut fetched_at)).await;
    checks.check("what is right is taken", right(&mut stage)).await;
    for (conduct, words) in WRONG_TOKENS {
        checks.check(&format!("{conduct} is refused"), wrong_token(&mut stage, conduct, words)).await;
    }
    for conduct in WRONG_ANSWERS {
        checks.check(&format!("{conduct} is refused"), wrong_answer(&mut stage, conduct)).await;
    }
    checks.check("a discovery of another issuer is refused", discovery(&mut stage)).await;
    checks.check("an answer is good for the provider that was asked", mixed_up(&mut stage)).await;
    checks.check("the algorithm is the file's to choose", algorithm(&mut stage)).await;
    checks.check("a new key is fetched after that moment", keys_have_changed(&mut stage, fetched_at)).await;
    checks.end()
}

/// Dora has come back from logging in for a session.
async fn log_in<'a>(node: &Node, site: &'a Site) -> Result<Visitor<'a>> {
    let mut dora = Visitor::new(site)?;
    let left = dora.leave("").await?;
    let callback = node.log_in(&mut dora.browser, &left, "dora").await?;
    dora.come_back(&callback).await?.onward()?;
    same("whether she is logged in", dora.is_logged_in().await?, true)?;
    Ok(dora)
}

/// She logs in for a decision, which is taken.
async fn approve(node: &Node, dora: &mut Visitor<'_>, plan: &Plan) -> Result<()> {
    let left = dora.leave_to_decide(plan, "approve").await?;
    let callback = node.log_in(&mut dora.browser, &left, "dora").await?;
    let page = dora.come_back(&callback).await?;
    names(&page, plan.digest)?;
    dora.confirm(plan, &page).await?.location()?;
    same("the plan", dora.site.state(plan).await?, "approved")
}

/// [AUTH-010] [AUTH-011]
async fn right(stage: &mut Stage) -> Result<()> {
    let Stage { node, site, .. } = stage;
    node.behave("right")?;
    let mut dora = log_in(node, site).await?;
    let plan = site.plan().await?;
    approve(node, &mut dora, &plan).await?;
    let view = site.look(&plan).await?;
    let approver = &view.decisions.first().context("no decision")?.approver;
    same("the way of logging in", approver.acr.as_deref(), Some("mfa"))?;
    same("the issuer and the subject", (&approver.issuer, approver.subject.as_str()), (&node.issuer, "dora"))
}

/// [AUTH-010] [AUTH-011] [AUTH-014]
async fn wrong_token(stage: &mut Stage, conduct: &str, words: &str) -> Result<()> {
    let Stage { node, site, .. } = stage;
    node.behave("right")?;
    let mut dora = log_in(node, site).await?;
    let plan = site.plan().await?;
    let before = site.kept().await?;
    let left = dora.leave_to_decide(&plan, "approve").await?;
    node.behave(conduct)?;
    let callback = node.log_in(&mut dora.browser, &left, "dora").await?;
    dora.refused(&callback, StatusCode::FORBIDDEN, words, &before).await?;
    same("the plan", site.state(&plan).await?, "awaiting_approval")?;
    // The control: the same plan, in the same session.
    node.behave("right")?;
    approve(node, &mut dora, &plan).await
}

/// RFC 9207. [AUTH-014]
async fn wrong_answer(stage: &mut Stage, conduct: &str) -> Result<()> {
    let Stage { node, site, .. } = stage;
    node.behave("right")?;
    let mut dora = log_in(node, site).await?;
    let plan = site.plan().await?;
    let before = site.kept().await?;
    let left = dora.leave_to_decide(&plan, "approve").await?;
    node.behave(conduct)?;
    let callback = node.log_in(&mut dora.browser, &left, "dora").await?;
    dora.unfit(&callback, "the answer is of another issuer", &before).await?;
    node.behave("right")?;
    approve(node, &mut dora, &plan).await
}

/// One provider sends the browser on to the other, so that the surface takes the answer for its own, or for the wrong one's.
/// [AUTH-014]
async fn mixed_up(stage: &mut Stage) -> Result<()> {
    let Stage { node, other, both, .. } = stage;
    node.behave("right")?;
    let before = both.kept().await?;
    for (path, why) in [
        ("/login/callback/sso", "it was begun at another provider"),
        ("/login/callback/other", "the answer is of another issuer"),
    ] {
        let mut dora = Visitor::new(both)?;
        let begun = dora.leave_for("other", "").await?;
        let led_on = dora.leave("").await?.with("state", &begun.value("state").context("no state")?);
        let mut callback = node.log_in(&mut dora.browser, &led_on, "dora").await?;
        callback.set_path(path);
        dora.unfit(&callback, why, &before).await?;
    }
    // The control: each by itself. What both call Dora are two persons.
    for (asked, id, name) in [(&*node, "sso", "here-dora"), (&*other, "other", "there-dora")] {
        let mut dora = Visitor::new(both)?;
        let left = dora.leave_for(id, "").await?;
        let callback = asked.log_in(&mut dora.browser, &left, "dora").await?;
        dora.come_back(&callback).await?.onward()?;
        says(&dora.get("/").await?, StatusCode::OK, name)?;
    }
    Ok(())
}

/// [AUTH-014]
async fn discovery(stage: &mut Stage) -> Result<()> {
    let Stage { node, unread, .. } = stage;
    node.behave("discovery-of-another")?;
    let before = unread.kept().await?;
    unread.heard.take();
    let mut dora = Visitor::new(unread)?;
    let page = dora.post("/login/at/sso", &[]).await?;
    says(&page, StatusCode::SERVICE_UNAVAILABLE, "Nobody can log in at the identity provider now")?;
    told(&unread.heard.take(), "is of another issuer: `https://evil.example`")?;
    unread.unchanged(&before).await
}

/// [AUTH-014]
async fn algorithm(stage: &mut Stage) -> Result<()> {
    let Stage { node, site, .. } = stage;
    node.behave("right")?;
    let plan = site.plan().await?;
    let before = site.kept().await?;
    // The provider publishes keys of both kinds, and goes by what the client registered.
    for (client, algorithm) in [(CLIENT, "ES256"), (ELLIPTIC, "RS256")] {
        site.write("providers.toml", &node.settings("sso", client, algorithm))?;
        let mut dora = Visitor::new(site)?;
        let left = dora.leave("").await?;
        let callback = node.log_in(&mut dora.browser, &left, "dora").await?;
        let words = "the ID token is not good: its algorithm is not one of those that are accepted here";
        dora.refused(&callback, StatusCode::FORBIDDEN, words, &before).await?;
    }
    site.write("providers.toml", &node.settings("sso", ELLIPTIC, "ES256"))?;
    let mut dora = log_in(node, site).await?;
    approve(node, &mut dora, &plan).await?;
    site.write("providers.toml", &node.settings("sso", CLIENT, "RS256"))
}

/// Keys change while the surface runs. [AUTH-014]
async fn keys_change(stage: &mut Stage, fetched_at: &mut Option<Timestamp>) -> Result<()> {
    let Stage { node, rotated, .. } = stage;
    log_in(node, rotated).await?;
    *fetched_at = Some(SystemClock.now());
    let before = rotated.kept().await?;
    node.behave("rotate")?;
    let mut dora = Visitor::new(rotated)?;
    let left = dora.leave("").await?;
    let callback = node.log_in(&mut dora.browser, &left, "dora").await?;
    let words = "the ID token is not good: the issuer has published no such key";
    dora.refused(&callback, StatusCode::FORBIDDEN, words, &before).await
}

async fn keys_have_changed(stage: &mut Stage, fetched_at: Option<Timestamp>) -> Result<()> {
    let Stage { node, rotated, .. } = stage;
    node.behave("right")?;
    until(fetched_at.context("the keys did not change")?.after(crate::at_keycloak::PAUSE)).await;
    let mut dora = log_in(node, rotated).await?;
    let plan = rotated.plan().await?;
    approve(node, &mut dora, &plan).await
}

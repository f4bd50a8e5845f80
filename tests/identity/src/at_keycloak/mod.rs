//! What persons and agents can do, and what nobody can, with Keycloak as it comes.

mod bearer;
mod changes;
mod decision;
mod login;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use approval_core::{Clock as _, SystemClock, Timestamp};

use crate::checks::Checks;
use crate::heard::Heard;
use crate::keycloak::{Keycloak, token};
use crate::site::{OTHERS, Place, Plan, Site};
use crate::visitor::Visitor;

/// For so long after it has fetched keys the surface fetches none.
pub(crate) const PAUSE: Duration = Duration::from_secs(15);

/// A site and its identity provider. `ada` asks; `dora` is in the group that decides, and so is `fay`, who has a second factor;
/// `eve` is not.
struct Stage {
    site: Site,
    keycloak: Keycloak,
    settings: String,
    /// By then the surface had fetched the keys.
    fetched_at: Timestamp,
}

pub(crate) async fn run(home: &Path, heard: &Heard) -> Result<()> {
    let place = Place::find().await?;
    let keycloak = Keycloak::start(home, &place)?;
    let settings = keycloak.settings(&place);
    let site = Site::open(place, &keycloak.issuer, &settings, heard).await?;
    keycloak.give_secret(&site)?;
    let mut stage = Stage { site, keycloak, settings, fetched_at: SystemClock.now() };

    let mut checks = Checks::of("Keycloak");
    checks.check("a login opens a session", login::opens_a_session(&stage)).await;
    stage.fetched_at = SystemClock.now();
    checks.check("a new login ends the session before", login::ends_the_session_before(&stage)).await;
    checks.check("a login without PKCE is refused there", login::without_pkce(&stage)).await;
    checks.check("a disabled user does not get in", login::of_a_disabled_user(&stage)).await;
    checks.check("an answer is good once", login::twice(&stage)).await;
    checks.check("an answer is good in one browser", login::of_another_browser(&stage)).await;
    checks.check("an answer names its issuer", login::of_another_issuer(&stage)).await;
    checks.check("a logout ends both sessions", login::logout(&stage)).await;
    checks.check("a decision takes a new login and a last word", decision::by_a_new_login(&stage)).await;
    checks.check("groups say who decides", decision::by_groups(&stage)).await;
    checks.check("a session there decides nothing", decision::by_an_old_login(&stage)).await;
    checks.check("a decision takes the factors that are demanded", decision::by_two_factors(&stage)).await;
    checks.check("a login for one plan is for no other", decision::of_another_plan(&stage)).await;
    checks.check("who decides logs in again, and nobody else", decision::by_somebody_else(&stage)).await;
    checks.check("a decision is taken once", decision::twice(&stage)).await;
    checks.check("a rejection goes the same way", decision::rejected(&stage)).await;
    checks.check("an access token names its person", bearer::access_tokens(&stage)).await;
    checks.check("a token opens no page, and a cookie no endpoint", bearer::at_the_wrong_door(&stage)).await;
    checks.check("other tokens name nobody", bearer::other_tokens(&stage)).await;
    checks.check("an agent takes no group away", bearer::without_groups(&stage)).await;
    checks.check("by token and by login it is one person", bearer::one_person(&stage)).await;
    checks.check("the file says who is who", changes::of_persons(&stage)).await;
    checks.check("groups are those of the login that decides", changes::of_groups(&stage)).await;
    checks.check("who is disabled there decides nothing", changes::of_who_may_log_in(&stage)).await;
    checks.check("keys change", changes::of_keys(&stage)).await;
    checks.end()
}

impl Stage {
    /// With this at the end of the file of providers, and as it was afterwards, however the check ends.
    async fn with_settings<T>(&self, more: &str, check: impl Future<Output = Result<T>>) -> Result<T> {
        self.site.write("providers.toml", &format!("{}{more}", self.settings))?;
        let result = check.await;
        self.site.write("providers.toml", &self.settings)?;
        result
    }

    /// A window in which this person is logged in, here and there.
    async fn logged_in(&self, name: &str) -> Result<Visitor<'_>> {
        let mut visitor = Visitor::new(&self.site)?;
        let left = visitor.leave("").await?;
        let callback = self.keycloak.log_in(&mut visitor.browser, &left, name).await?;
        visitor.come_back(&callback).await?.onward()?;
        Ok(visitor)
    }

    /// A plan that Ada's agent asks for, and somebody else decides on.
    async fn plan(&self) -> Result<Plan> {
        let tokens = self.keycloak.tokens("agent", "ada").await?;
        self.site.plan_by(token(&tokens, "access_token")?, OTHERS).await
    }

    /// Dora approves.
    async fn approve(&self, dora: &mut Visitor<'_>, plan: &Plan) -> Result<()> {
        let left = dora.leave_to_decide(plan, "approve").await?;
        let callback = self.keycloak.log_in(&mut dora.browser, &left, "dora").await?;
        let page = dora.come_back(&callback).await?;
        dora.confirm(plan, &page).await?.location()?;
        Ok(())
    }
}

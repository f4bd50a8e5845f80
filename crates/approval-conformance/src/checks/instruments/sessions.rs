//! When a session on the approval surface is over (approval-surface.md, section 1).

use reqwest::header::COOKIE;

use super::acts::change_person;
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Change, Op, Page};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "session-of-a-disabled-account",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["AUTH-003"],
        case: None,
        tries: "Somebody who is logged in is disabled, and opens a plan's page in that session.",
        expects: "They don't see it.",
        run: run!(disabled),
    },
    Check {
        id: "session-of-another-credential",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["AUTH-003"],
        case: None,
        tries: "The credential of somebody who is logged in is changed, and a plan's page is opened in that session.",
        expects: "It isn't shown.",
        run: run!(other_credential),
    },
    Check {
        id: "session-ends-in-time",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["AUTH-002"],
        case: None,
        tries: "Somebody who is logged in opens a plan's page in that session when the clock has gone on by 400 days.",
        expects: "It isn't shown; when they have logged in again it is.",
        run: run!(ends_in_time),
    },
];

/// No session is good for longer.
const LONG: u64 = 400 * 24 * 60 * 60;

async fn disabled(scene: &Scene) -> Checked {
    let seen = Seen::page(scene).await?;
    change_person(scene, Change::Disable, &seen.person).await?;
    seen.is_over(scene, "whose account was disabled").await?;
    change_person(scene, Change::Enable, &seen.person).await
}

async fn other_credential(scene: &Scene) -> Checked {
    let seen = Seen::page(scene).await?;
    change_person(scene, Change::Account, &seen.person).await?;
    seen.is_over(scene, "whose account has another credential").await
}

async fn ends_in_time(scene: &Scene) -> Checked {
    let seen = Seen::page(scene).await?;
    scene.has(Op::AdvanceClock { seconds: LONG }).await?;
    seen.is_over(scene, "of 400 days ago").await?;
    let opened = scene.open(Some(&seen.person), &seen.url).await?;
    ensure(opened.status == 200 && Page::read(&opened.body).login().is_none(), || {
        format!("after a new login the plan's page is answered {}", opened.status)
    })
}

/// A plan's page, seen in a session.
struct Seen {
    person: String,
    url: String,
    cookies: String,
}

impl Seen {
    async fn page(scene: &Scene) -> Checked<Self> {
        let (agent, call) = (scene.agent().await?, scene.plain()?);
        let (_, challenge) = scene.challenged(&agent, &call).await?;
        let person = scene.approver(&agent, &call)?;
        scene.open(Some(&person), &challenge.url).await?;
        let cookies = scene.world().people().session(&person, &challenge.url).await?;
        let cookies = cookies.filter(|cookies| !cookies.is_empty());
        let cookies = cookies.ok_or_else(|| {
            Stop::NotTestable("the sessions are the driver's: the harness has no cookie to use again".to_owned())
        })?;
        let seen = Self { person, url: challenge.url, cookies };
        // The control: in that session it is shown.
        ensure(seen.is_shown(scene).await?, || "a session that has just begun shows no page".to_owned())?;
        Ok(seen)
    }

    async fn is_over(&self, scene: &Scene, whose: &str) -> Checked {
        let is_shown = self.is_shown(scene).await?;
        ensure(!is_shown, || format!("a session {whose} still shows the plan's page"))
    }

    /// Whether the page is there, and not a login in its place.
    async fn is_shown(&self, scene: &Scene) -> Checked<bool> {
        let request = scene.world().client().get(&self.url).header(COOKIE, &self.cookies);
        let failed = |error: reqwest::Error| Stop::Fault(format!("the approval surface: {error}"));
        let response = request.timeout(scene.world().answer_within()).send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.text().await.map_err(failed)?;
        Ok(status == 200 && Page::read(&body).login().is_none())
    }
}

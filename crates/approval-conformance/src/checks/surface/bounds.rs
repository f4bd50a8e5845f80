//! How much a request may bring (approval-surface.md, section 7).

use super::acts::{comment_field, control, shown, undecided, with};
use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::scene::Scene;
use crate::target::Rule;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "comment-is-bounded",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-021"],
        case: None,
        tries: "A plan is approved with a comment of 2001 characters, and one with a comment of 2000 characters beyond ASCII.",
        expects: "The first decides nothing, or its comment is cut; the second is taken.",
        run: run!(comment),
    },
    Check {
        id: "request-is-bounded",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-021"],
        case: None,
        tries: "A form is sent with a field of 48 MiB besides its own.",
        expects: "It is turned away, and nothing is decided. As it should be, it is taken.",
        run: run!(request),
    },
];

/// The longest comment, in characters.
const COMMENT: usize = 2000;
/// Larger than a whole plan may be: no form is.
const BODY: usize = 48 << 20;

async fn comment(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::SameSubject)?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    let field = comment_field(&form)?;
    let long = "x".repeat(COMMENT) + "y";
    scene.send(Some(&person), &with(&form, field, &long)).await?;
    let status = agent.status(&plan).await?;
    if status.text("state") == Some("approved") {
        let text = shown(scene, &person, &challenge.url).await?.text;
        ensure(!text.contains(&long), || "a comment of 2001 characters was taken whole".to_owned())?;
    } else {
        undecided(&agent, &plan, "a comment of 2001 characters").await?;
    }
    let other = scene.ruled(Rule::SameSubject)?;
    let (other_plan, challenge) = scene.challenged(&agent, &other).await?;
    let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    scene.send(Some(&person), &with(&form, field, &"é".repeat(COMMENT))).await?;
    let status = agent.status(&other_plan).await?;
    ensure(status.text("state") == Some("approved"), || {
        format!("with a comment of {COMMENT} characters there is {} instead of an approval", status.told())
    })
}

async fn request(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    let mut form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    form.fields.push(("more".to_owned(), "x".repeat(BODY)));
    // Past the recorder: nobody wants to read it.
    match scene.world().people().send(Some(&person), &form).await.map_err(Stop::from) {
        Ok(opened) => ensure(opened.status >= 400, || {
            format!("a form of {} MiB is answered with the status {}", BODY >> 20, opened.status)
        })?,
        // Whoever doesn't read on closes the connection.
        Err(Stop::Fault(why)) => scene.recorder.keep("page → harness", format!("({why})")),
        Err(other) => return Err(other),
    }
    undecided(&agent, &plan, "a form of 48 MiB").await?;
    control(scene, &agent, &call, &plan, &challenge).await
}

//! Texts of one form.

use std::str::FromStr;

use anyhow::{Result, bail};
use approval_core::{ChallengeId, Digest, PlanId, Salt, Timestamp};
use serde_json::{Value, json};

use super::text;

/// Whether a text is of its form.
pub(super) fn form(_: &Value, input: &Value) -> Result<Value> {
    let read = text(input, "text")?;
    let is_of_it = match text(input, "form")? {
        "challenge-id" => is::<ChallengeId>(read),
        "digest" => is::<Digest>(read),
        "plan-id" => is::<PlanId>(read),
        "salt" => is::<Salt>(read),
        "timestamp" => is::<Timestamp>(read),
        other => bail!("nothing here is a `{other}`"),
    };
    Ok(json!({ "verdict": if is_of_it { "accepted" } else { "refused" } }))
}

fn is<T: FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

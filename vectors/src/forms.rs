//! The forms of members: what is one, and what only looks like one.

use anyhow::{Result, ensure};
use approval_core::{ChallengeId, Digest, PlanId, Salt, Timestamp};
use serde_json::json;

use crate::file::{Category, Vector};

const HEX: &str = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";

/// [DIG-041], [DIG-130], [DIG-131], [DIG-132], [REC-002], [REC-003]
pub(crate) fn forms() -> Result<Category> {
    let mut made = Forms(Vec::new());
    made.form(
        "digest",
        is::<Digest>,
        &[("as-written", &format!("sha256:{HEX}"))],
        &[
            ("without-algorithm", HEX),
            ("algorithm-in-capitals", &format!("SHA256:{HEX}")),
            ("another-algorithm", &format!("sha512:{HEX}")),
            ("capital-digits", &format!("sha256:{}", HEX.to_uppercase())),
            ("one-capital-digit", &format!("sha256:{}", HEX.replacen('a', "A", 1))),
            ("one-digit-short", &format!("sha256:{}", HEX.get(1..).unwrap_or_default())),
            ("one-digit-long", &format!("sha256:{HEX}0")),
            ("white-space-before", &format!(" sha256:{HEX}")),
            ("line-feed-after", &format!("sha256:{HEX}\n")),
            ("no-hexadecimal-digit", &format!("sha256:{}", HEX.replacen('a', "g", 1))),
            ("full-width-digit", &format!("sha256:{}", HEX.replacen("015", "\u{ff10}", 1))),
            ("empty", ""),
        ],
    )?;
    made.form(
        "timestamp",
        is::<Timestamp>,
        &[
            ("with-milliseconds", "2026-11-23T04:28:22.007Z"),
            ("whole-second", "2026-11-23T04:28:22.000Z"),
            ("leap-day", "2028-02-29T23:59:59.999Z"),
            ("century-leap-day", "2000-02-29T00:00:00.000Z"),
            ("last-of-all", "9999-12-31T23:59:59.999Z"),
        ],
        &[
            ("without-milliseconds", "2026-11-23T04:28:22Z"),
            ("two-digits-of-a-second", "2026-11-23T04:28:22.07Z"),
            ("microseconds", "2026-11-23T04:28:22.007000Z"),
            ("comma", "2026-11-23T04:28:22,007Z"),
            ("small-letters", "2026-11-23t04:28:22.007z"),
            ("offset-of-zero", "2026-11-23T04:28:22.007+00:00"),
            ("offset", "2026-11-23T05:28:22.007+01:00"),
            ("no-zone", "2026-11-23T04:28:22.007"),
            ("space-for-t", "2026-11-23 04:28:22.007Z"),
            ("thirtieth-of-february", "2026-02-30T04:28:22.007Z"),
            ("leap-day-in-another-year", "2027-02-29T04:28:22.007Z"),
            ("leap-day-in-a-century", "1900-02-29T04:28:22.007Z"),
            ("thirteenth-month", "2026-13-01T04:28:22.007Z"),
            ("day-zero", "2026-11-00T04:28:22.007Z"),
            ("hour-24", "2026-11-23T24:00:00.000Z"),
            ("minute-60", "2026-11-23T04:60:22.007Z"),
            ("leap-second", "2026-12-31T23:59:60.000Z"),
            ("sign", "+2026-11-23T04:28:22.007Z"),
            ("five-digit-year", "12026-11-23T04:28:22.007Z"),
            ("line-feed-after", "2026-11-23T04:28:22.007Z\n"),
            ("other-digits", "2026-11-23T04:28:2\u{0662}.007Z"),
            ("empty", ""),
        ],
    )?;
    made.form(
        "plan-id",
        is::<PlanId>,
        &[("version-7", "019ab12c-0000-7000-8000-000000000001")],
        &[
            ("capitals", "019AB12C-0000-7000-8000-000000000001"),
            ("without-hyphens", "019ab12c000070008000000000000001"),
            ("braces", "{019ab12c-0000-7000-8000-000000000001}"),
            ("urn", "urn:uuid:019ab12c-0000-7000-8000-000000000001"),
            ("version-4", "019ab12c-0000-4000-8000-000000000001"),
            ("other-variant", "019ab12c-0000-7000-0000-000000000001"),
            ("variant-of-microsoft", "019ab12c-0000-7000-c000-000000000001"),
            ("hyphens-moved", "019ab12c0-000-7000-8000-000000000001"),
            ("line-feed-after", "019ab12c-0000-7000-8000-000000000001\n"),
            ("empty", ""),
        ],
    )?;
    made.form(
        "challenge-id",
        is::<ChallengeId>,
        &[("zeros", "AAAAAAAAAAAAAAAAAAAAAA"), ("url-alphabet", "-_-_-_-_-_-_-_-_-_-_-w")],
        &[
            ("bits-left-over", "AAAAAAAAAAAAAAAAAAAAAB"),
            ("padding", "AAAAAAAAAAAAAAAAAAAAAA=="),
            ("other-alphabet", "AAAAAAAAAAAAAAAAAAAA+/"),
            ("too-short", "AAAAAAAAAAAAAAAAAAAA"),
            ("too-long", "AAAAAAAAAAAAAAAAAAAAAAAA"),
            ("one-character-more", "AAAAAAAAAAAAAAAAAAAAAAA"),
            ("line-feed-within", "AAAAAAAAAAA\nAAAAAAAAAAA"),
            ("empty", ""),
        ],
    )?;
    let forty_two = "A".repeat(42);
    made.form(
        "salt",
        is::<Salt>,
        &[("zeros", &format!("{forty_two}A")), ("highest-last-character", &format!("{forty_two}8"))],
        &[
            ("bits-left-over", &format!("{forty_two}B")),
            ("padding", &format!("{forty_two}A=")),
            ("too-short", &forty_two),
            ("too-long", &format!("{forty_two}AA")),
        ],
    )?;
    Category::new(
        "forms",
        "Texts that are, or are not, of the one form that a member of a record has: digest [DIG-041], timestamp [DIG-130, REC-002], plan id [DIG-131, REC-003], challenge id [DIG-132] and salt [DIG-110].",
        made.0,
    )
}

struct Forms(Vec<Vector>);

impl Forms {
    fn form(
        &mut self,
        form: &str,
        is: fn(&str) -> bool,
        accepted: &[(&str, &str)],
        refused: &[(&str, &str)],
    ) -> Result<()> {
        let all = accepted.iter().map(|case| (case, true)).chain(refused.iter().map(|case| (case, false)));
        for (&(name, text), intended) in all {
            ensure!(is(text) == intended, "{form} `{text}`: {}", !intended);
            let verdict = if intended { "accepted" } else { "refused" };
            let input = json!({ "form": form, "text": text });
            self.0.push(Vector::new(format!("{form}-{name}"), input, json!({ "verdict": verdict })));
        }
        Ok(())
    }
}

fn is<T: std::str::FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

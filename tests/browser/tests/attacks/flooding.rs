//! Whoever can only reach the login, and uses it a lot.

use anyhow::Result;
use browser::{PASSWORD, Site, WRONG};

/// More wrong passwords than are taken at once altogether.
const MANY: usize = 80;

fn log_in(site: &Site, account: &str, password: &str) -> Result<(u16, Option<u64>)> {
    let answer = site.holder("").post("/login", &[("account", account), ("password", password)])?;
    let after = answer.header("retry-after").map(str::parse).transpose()?;
    Ok((answer.status, after))
}

#[test]
fn one_account_is_tried_at_a_pace() -> Result<()> {
    // [AUTH-005, AUTH-006]
    let site = Site::new()?;
    let plan = site.plan("a")?;
    let alice = site.person("alice")?;
    for _ in 0..5 {
        assert_eq!(log_in(&site, "alice", WRONG)?, (401, None));
    }
    assert_eq!(log_in(&site, "alice", PASSWORD)?, (429, Some(30)), "not even with the right one");
    assert_eq!(log_in(&site, "bob", PASSWORD)?, (303, None), "the control: another account");
    // She is in, and decides.
    assert_eq!(alice.decide(&plan, &alice.form(&plan)?, "approve", PASSWORD)?.status, 303);
    assert_eq!(site.state(&plan)?, "approved");
    Ok(())
}

#[test]
fn all_accounts_together_are_tried_at_a_pace() -> Result<()> {
    // [AUTH-005]
    let site = Site::new()?;
    let mut statuses = Vec::new();
    for number in 0..MANY {
        statuses.push(log_in(&site, &format!("nobody-{number}"), WRONG)?);
    }
    let (taken, refused) = statuses.split_at(60);
    assert!(taken.iter().all(|answer| *answer == (401, None)), "{taken:?}");
    assert!(refused.iter().all(|answer| *answer == (429, Some(1))), "{refused:?}");
    Ok(())
}

#[test]
fn a_flood_of_names_keeps_nobody_from_deciding() -> Result<()> {
    // [AUTH-006]
    let site = Site::new()?;
    let plan = site.plan("a")?;
    let alice = site.person("alice")?;
    let form = alice.form(&plan)?;
    for number in 0..MANY {
        log_in(&site, &format!("nobody-{number}"), WRONG)?;
    }
    assert_eq!(log_in(&site, "nobody", WRONG)?.0, 429, "the control: the login is flooded");
    let answer = alice.decide(&plan, &form, "approve", PASSWORD)?;
    assert_eq!((answer.status, site.state(&plan)?), (303, "approved"));
    Ok(())
}

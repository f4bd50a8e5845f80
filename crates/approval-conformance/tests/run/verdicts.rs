//! What comes of servers and drivers that don't work.

use std::time::Duration;

use approval_conformance::report::{Conclusion, Report};
use approval_conformance::{Options, Verdict};

use crate::fake::{Fake, WILLING};

/// Far less than all checks one after the other would wait.
const SOON: Duration = Duration::from_secs(20);

async fn report(server: &str, driver: &str) -> Report {
    let fake = Fake::new(server, driver);
    let options = Options::default();
    tokio::time::timeout(SOON, fake.run(&options)).await.expect("a verdict, soon")
}

/// Holds that the look at the server failed for this reason, and that nothing else is said of it.
fn is_no_server(report: &Report, why: &str) {
    let (hello, others): (Vec<_>, Vec<_>) = report.checks.iter().partition(|check| check.id == "server-answers");
    assert_eq!(hello.iter().map(|check| check.verdict).collect::<Vec<_>>(), [Verdict::Fail]);
    let message = hello.iter().filter_map(|check| check.message.as_deref()).collect::<String>();
    assert!(message.contains(why), "{message}");
    assert!(others.len() > 30, "{}", others.len());
    for check in others {
        assert_eq!(check.verdict, Verdict::NotTestable, "{check:?}");
    }
    assert_eq!(report.conclusion, Conclusion::NotConformant);
    assert_eq!(report.conclusion.exit_code(), 1);
}

#[tokio::test]
async fn one_that_hangs_is_not_conformant() {
    is_no_server(&report("cat > /dev/null", WILLING).await, "no answer within 1 s");
}

#[tokio::test]
async fn one_that_speaks_garbage_is_not_conformant() {
    is_no_server(&report("while read line; do echo no json; done", WILLING).await, "not a message");
}

#[tokio::test]
async fn one_that_says_a_member_twice_is_not_conformant() {
    let server = r#"while read line; do echo '{"jsonrpc":"2.0","id":0,"id":0,"result":{}}'; done"#;
    is_no_server(&report(server, WILLING).await, "the member `id` stands there twice");
}

#[tokio::test]
async fn one_that_ends_is_not_conformant() {
    is_no_server(&report("read line; exit 3", WILLING).await, "the server's output ended");
}

#[tokio::test]
async fn one_that_cannot_be_started_is_not_conformant() {
    let fake = Fake::new("", WILLING);
    let text = std::fs::read_to_string(fake.path("target.toml")).unwrap();
    std::fs::write(fake.path("target.toml"), text.replace("\"sh\", \"server.sh\"", "\"./no-such-program\"")).unwrap();
    is_no_server(&fake.run(&Options::default()).await, "`./no-such-program` can't be started");
}

#[tokio::test]
async fn a_driver_that_fails_says_nothing_of_the_server() {
    for (driver, why) in [
        ("exit 0", "it ended"),
        ("cat > /dev/null", "no answer to `start` within 2 s"),
        ("read line; echo nonsense; cat > /dev/null", "it said what is no answer of the protocol"),
        (r#"read line; echo '{"id":1,"error":"no database"}'; cat > /dev/null"#, "no database"),
    ] {
        let report = report("cat > /dev/null", driver).await;
        for check in report.checks.iter().filter(|check| check.verdict != Verdict::NotTestable) {
            assert_eq!(check.verdict, Verdict::HarnessFault, "{check:?}");
        }
        let told = report.checks.iter().filter_map(|check| check.message.as_deref());
        assert!(told.clone().any(|message| message.contains(why)), "{why}: {:?}", told.collect::<Vec<_>>());
        assert_eq!(report.conclusion, Conclusion::HarnessFault, "{driver}");
        assert_eq!(report.conclusion.exit_code(), 4);
    }
}

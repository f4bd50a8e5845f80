//! What is chosen, and what is expected to fail.

use approval_conformance::report::Conclusion;
use approval_conformance::{Expected, Level, Options, run};

use crate::fake::{Fake, WILLING};

#[tokio::test]
async fn a_check_that_there_is_not_can_not_be_chosen() {
    let fake = Fake::new("cat > /dev/null", WILLING);
    let options = Options { only: vec!["replay".to_owned(), "no-such".to_owned()], ..Options::default() };
    let error = run(fake.target(), &options, |_| {}).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no check `no-such`: `approval-conformance list` names them");
}

#[tokio::test]
async fn what_is_chosen_runs_alone() {
    let options = Options { only: vec!["replay".to_owned()], ..Options::default() };
    let report = Fake::new("cat > /dev/null", WILLING).run(&options).await;
    let mut ids: Vec<_> = report.checks.iter().map(|check| check.id.as_str()).collect();
    ids.dedup();
    assert_eq!(ids, ["replay", "server-answers"]);
    assert!(report.partial);
}

#[tokio::test]
async fn a_failure_that_is_expected_counts_for_nothing() {
    let fake = Fake::new("cat > /dev/null", WILLING);
    let file = fake.path("expected.toml");
    // The look at the server can't be expected to fail: it isn't among the checks that are chosen.
    std::fs::write(&file, "[[expected]]\ncheck = \"replay\"\nreason = \"it is being written\"\n").unwrap();
    let expected = Expected::read(&file).unwrap();
    let report = fake.run(&Options { only: vec!["replay".to_owned()], expected, ..Options::default() }).await;
    assert!(report.checks.iter().any(|check| check.expected.as_deref() == Some("it is being written")));
    assert_eq!(report.conclusion, Conclusion::NotConformant);
    assert!(report.stale.is_empty(), "what can't be tested isn't mended");
}

#[test]
fn a_file_of_expected_failures_is_read_strictly() {
    let fake = Fake::new("", "");
    let file = fake.path("expected.toml");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Expected::read(&file).map(drop).map_err(|error| error.to_string().replace(&file.display().to_string(), "FILE"))
    };
    assert_eq!(read("[[expected]]\ncheck = \"a\"\nreason = \"b\"\n"), Ok(()));
    assert_eq!(
        read("[[expected]]\ncheck = \"a\"\nreason = \" \"\n"),
        Err("`FILE`: the entry for `a` has no reason".to_owned())
    );
    let twice = "[[expected]]\ncheck = \"a\"\nreason = \"b\"\n".repeat(2);
    assert_eq!(read(&twice), Err("`FILE`: the entry for `a` stands there twice".to_owned()));
    assert!(
        read("[[expected]]\ncheck = \"a\"\nreason = \"b\"\nwhy = 1\n").unwrap_err().contains("unknown field `why`")
    );
}

#[test]
fn a_target_file_is_read_strictly() {
    let fake = Fake::new("", "");
    let file = fake.path("target.toml");
    let whole = std::fs::read_to_string(&file).unwrap();
    let read = |text: String| {
        std::fs::write(&file, text).unwrap();
        let read = approval_conformance::target::Target::read(&file);
        read.map(drop).map_err(|error| error.to_string().replace(&file.display().to_string(), "FILE"))
    };
    assert_eq!(read(whole.clone()), Ok(()));
    for (text, why) in [
        (whole.replace("{{unique}}", "same"), "`FILE`: `arguments` of tool `plain` have no `{{unique}}`"),
        (whole.replace("name = \"write\"", "name = \"write\"\ncolour = \"red\""), "unknown field `colour`"),
        (whole.replace("[[tool]]", "[[call]]"), "missing field `refusal`"),
        (
            whole.replace("command = [\"sh\", \"server.sh\"]", "url = \"http://a/\", command = [\"b\"]"),
            "both `url` and `command`",
        ),
        (
            format!("{whole}\n[[tool]]\nuse = \"plain\"\nname = \"x\"\narguments = {{ a = \"{{{{unique}}}}\" }}"),
            "`use = \"plain\"` stands there twice",
        ),
        (format!("{whole}\nrequired = 2"), "only a quorum asks for more than 1"),
        (format!("{whole}\ntext = \"content\""), "`text` of tool `plain` is no JSON Pointer"),
        (whole.replace("name = \"fake\"", "name = "), "FILE"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn level_2_holds_level_1() {
    let of = |level| async move {
        let options = Options { level, ..Options::default() };
        Fake::new("exit 0", WILLING).run(&options).await.checks.len()
    };
    assert!(of(Level::L1).await < of(Level::L2).await);
}

//! Servers and drivers of a few lines of shell, which do one thing wrong.

use std::fs;
use std::path::PathBuf;

use approval_conformance::report::Report;
use approval_conformance::target::Target;
use approval_conformance::{Options, Progress, run};
use tempfile::TempDir;

/// A driver that says yes to everything.
pub(crate) const WILLING: &str =
    r#"while read line; do id=${line#*\"id\":}; id=${id%%[,\}]*}; echo "{\"id\":$id,\"ok\":{}}"; done"#;

/// A directory with a target file of such a server and driver.
pub(crate) struct Fake {
    directory: TempDir,
}

impl Fake {
    pub(crate) fn new(server: &str, driver: &str) -> Self {
        let fake = Self { directory: TempDir::new().unwrap() };
        fs::write(fake.path("server.sh"), server).unwrap();
        fs::write(fake.path("driver.sh"), driver).unwrap();
        fs::write(
            fake.path("target.toml"),
            r#"
                name = "fake"
                server = { command = ["sh", "server.sh"], answer_seconds = 1 }
                driver = { command = ["sh", "driver.sh"], answer_seconds = 2 }
                persons = { requester = "alice" }
                [[tool]]
                use = "plain"
                name = "write"
                arguments = { name = "{{unique}}" }
            "#,
        )
        .unwrap();
        fake
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn target(&self) -> Target {
        Target::read(&self.path("target.toml")).unwrap()
    }

    /// What comes of a run.
    pub(crate) async fn run(&self, options: &Options) -> Report {
        let mut done = 0;
        let progress = |progress: Progress<'_>| done += usize::from(matches!(progress, Progress::Done(_)));
        let report = run(self.target(), options, progress).await.unwrap();
        assert_eq!(done, report.checks.len(), "each check is told of");
        report
    }
}

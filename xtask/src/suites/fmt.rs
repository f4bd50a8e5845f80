use super::{Suite, Tier, one_command};

pub(crate) const SUITE: Suite = Suite {
    name: "fmt",
    about: "every file is formatted",
    needs: "rustfmt",
    tier: Tier::Each,
    run: |context| {
        one_command("cargo fmt --check", context.cargo().args(["fmt", "--all", "--check", "--", "--color", "never"]))
    },
};

use super::{Suite, Tier, one_command};

pub(crate) const SUITE: Suite = Suite {
    name: "clippy",
    about: "no warning in any target",
    needs: "clippy",
    tier: Tier::Each,
    run: |context| {
        let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        one_command("cargo clippy", context.cargo().args(arguments))
    },
};

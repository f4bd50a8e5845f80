use super::{Suite, Tier, one_command};

pub(crate) const SUITE: Suite = Suite {
    name: "docs",
    about: "the documentation builds without a warning",
    needs: "nothing more",
    tier: Tier::Each,
    run: |context| {
        let arguments = ["doc", "--workspace", "--no-deps", "--locked"];
        one_command("cargo doc", context.cargo().args(arguments).env("RUSTDOCFLAGS", "-D warnings"))
    },
};

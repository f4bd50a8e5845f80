//! What the type system keeps an executor from doing.

#[test]
fn compile_fail() {
    // [EXEC-001, GATE-112]
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
}

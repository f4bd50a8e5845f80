use std::fs;
use std::path::Path;

use super::*;

const SPEC: &str = r#"
    [[requirement]]
    id = "GATE-001"
    level = "MUST"
    tested = "wire"
    section = "gate.md#1-terms"
    text = "The gate refuses."

    [[requirement]]
    id = "GATE-002"
    level = "SHOULD"
    tested = "review"
    text = "The gate is quick."
"#;

fn requirements(text: &str) -> Requirements {
    Requirements::parse(text).unwrap()
}

fn prose(text: &str) -> Vec<SourceFile> {
    vec![SourceFile { path: "spec/v0/gate.md".into(), text: text.into() }]
}

fn citation(id: &str, role: Role) -> Citation {
    Citation { id: id.into(), role, place: "here:1".into() }
}

fn cited_both_ways() -> Vec<Citation> {
    vec![citation("GATE-001", Role::Enforcement), citation("GATE-001", Role::Check)]
}

fn reasons(report: &Report) -> Vec<String> {
    report.failed.iter().map(|remark| format!("{}: {}", remark.what, remark.why)).collect()
}

#[test]
fn what_is_enforced_and_checked_passes() {
    let report = trace(&requirements(SPEC), &prose("**GATE-001** … GATE-002"), &cited_both_ways());
    assert_eq!(reasons(&report), Vec::<String>::new());
    assert_eq!((report.passed, report.skips()), (4, 0));
}

#[test]
fn each_gap_of_a_binding_requirement_fails() {
    let text = prose("GATE-001 GATE-002");
    let only_enforced = trace(&requirements(SPEC), &text, &[citation("GATE-001", Role::Enforcement)]);
    assert_eq!(reasons(&only_enforced), ["GATE-001: no test checks it"]);
    let only_checked = trace(&requirements(SPEC), &text, &[citation("GATE-001", Role::Check)]);
    assert_eq!(reasons(&only_checked), ["GATE-001: nothing in crates/*/src enforces it"]);
    let only_shown = trace(&requirements(SPEC), &text, &[citation("GATE-001", Role::Example)]);
    assert_eq!(reasons(&only_shown), ["GATE-001: nothing in crates/*/src enforces it; no test checks it"]);
}

#[test]
fn a_requirement_that_nobody_can_test_fails() {
    let spec = SPEC.replace("tested = \"review\"", "");
    let report = trace(&requirements(&spec), &prose("GATE-001 GATE-002"), &cited_both_ways());
    assert_eq!(reasons(&report), ["each requirement says how it can be tested: `GATE-002` doesn't"]);
    assert!(Requirements::parse(&SPEC.replace("\"wire\"", "\"hearsay\"")).is_err());
}

#[test]
fn the_table_names_files_and_excuses() {
    let spec = SPEC.replace("tested = \"review\"", "tested = \"review\"\nreason = \"it is a wish\"");
    let citations = [
        Citation { id: "GATE-001".into(), role: Role::Enforcement, place: "crates/a/src/gate.rs:7".into() },
        Citation { id: "GATE-001".into(), role: Role::Check, place: "crates/a/tests/gate.rs:1".into() },
        Citation { id: "GATE-001".into(), role: Role::Check, place: "crates/a/tests/gate.rs:9".into() },
        citation("GATE-001", Role::Example),
    ];
    let cases = cases::find(SECURITY);
    let table = table::render(&requirements(&spec), &citations, &cases);
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| [")).collect();
    assert_eq!(
        rows,
        [
            "| [GATE-001](v0/gate.md#1-terms) | MUST | wire | `crates/a/src/gate.rs` | `crates/a/tests/gate.rs` |",
            "| [GATE-002](v0/) | SHOULD | review | *reason: it is a wish* |  |",
        ]
    );
    assert!(table.ends_with(
        "## Hostile cases\n\n| | answer | by | checked by |\n|---|---|---|---|\n\
         | `late` | `too_late`, and then it runs | GATE-001 | `crates/a/tests/gate.rs` |\n"
    ));
}

const SECURITY: &str = "\
| attack | answered by |\n|---|---|\n| the agent is late | GATE-001, GATE-002 |\n\n\
| case | what is tried | answer | by |\n|---|---|---|---|\n\
| `late` | to be late | `too_late`, and then it runs | GATE-001 |\n\nmore\n";

#[test]
fn a_hostile_case_has_a_name_of_its_own_an_answer_and_what_answers_it() {
    let gate = "| reason | says | retry | the plan |\n|---|---|---|---|\n| `too_late` | it is over | `never` | |\n";
    let requirements = requirements(SPEC);
    let complaints = |security: &str| cases::complaints(&cases::find(security), &requirements.ids(), gate);
    assert_eq!(complaints(SECURITY), Vec::<String>::new());
    for (from, to, complaint) in [
        ("`too_late`", "`too_early`", "`late`: `too_early` is no reason"),
        ("runs | GATE-001", "runs | GATE-003", "`late`: there is no GATE-003"),
        ("runs | GATE-001", "runs | nothing", "`late` is answered by nothing"),
        ("the agent is late", "late", "`late` stands there twice"),
    ] {
        assert_eq!(complaints(&SECURITY.replace(from, to)), [complaint]);
    }
    assert_eq!(complaints("nothing"), ["there is no table of cases, or none of reasons"]);
}

#[test]
fn a_citation_of_nothing_fails() {
    let mut citations = cited_both_ways();
    citations.push(citation("GATE-003", Role::Check));
    let report = trace(&requirements(SPEC), &prose("GATE-001 GATE-002"), &citations);
    assert_eq!(reasons(&report), ["GATE-003: requirements.toml has no such id; cited in here:1"]);
}

#[test]
fn text_and_table_must_agree_both_ways() {
    let report = trace(&requirements(SPEC), &prose("GATE-001, GATE-009, [WIRE-001], SHA-256"), &cited_both_ways());
    assert_eq!(
        reasons(&report),
        [
            "the text and requirements.toml name the same ids: `GATE-009` stands in gate.md but not in requirements.toml; \
          `WIRE-001` stands in gate.md but not in requirements.toml; `GATE-002` stands in no text"
        ]
    );
}

#[test]
fn an_excuse_is_counted_and_printed_until_it_is_stale() {
    let spec =
        "[[requirement]]\nid = \"GATE-001\"\nlevel = \"MUST NOT\"\ntested = \"wire\"\nplanned = \"with the gateway\"";
    let open = trace(&requirements(spec), &prose("GATE-001"), &[citation("GATE-001", Role::Enforcement)]);
    assert_eq!(reasons(&open), Vec::<String>::new());
    let skipped: Vec<_> = open.skipped.iter().map(|remark| remark.why.as_str()).collect();
    assert_eq!(skipped, ["no test checks it (planned: with the gateway)"]);
    let stale = trace(&requirements(spec), &prose("GATE-001"), &cited_both_ways());
    assert_eq!(reasons(&stale), ["GATE-001: it is enforced and checked, so its `planned` no longer holds: remove it"]);
}

#[test]
fn a_table_that_can_hide_a_gap_is_refused() {
    let entry = |rest: &str| format!("[[requirement]]\nid = \"GATE-001\"\nlevel = \"MUST\"\n{rest}\n");
    for (text, reason) in [
        ("requirement = []".to_owned(), "it holds no requirement"),
        (entry("") + &entry(""), "`GATE-001` stands there twice"),
        (entry("planned = \" \""), "`GATE-001` is excused without a word why"),
        (entry("planned = \"a\"\nreason = \"b\""), "`GATE-001` is both planned and excused: it can only be one"),
        (entry("").replace("GATE-001", "gate-1"), "`gate-1` is no id: it must look like `GATE-012`"),
    ] {
        assert_eq!(Requirements::parse(&text).unwrap_err().to_string(), reason);
    }
    assert!(Requirements::parse(&entry("").replace("MUST", "must")).is_err());
}

#[test]
fn ids_and_citations_are_told_from_other_words() {
    let ids: Vec<_> =
        citations::bracketed("// [GATE-012] and [GATE-013, WIRE-T-001] but [see GATE-014], [0], GATE-015").collect();
    assert_eq!(ids, ["GATE-012", "GATE-013", "WIRE-T-001"]);
    for word in ["GATE-12", "GATE-0123", "gate-012", "-012", "GATE", "1GATE-012", "GATE--012"] {
        assert!(!citations::is_id(word), "{word}");
    }
}

#[test]
fn places_are_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("crates/a/src/lib.rs", "// [GATE-001]\nlet x = \"[GATE-900]\";\n".replace("let x", "const X: &str").as_str());
    write("crates/a/src/gate.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    // [GATE-002]\n}\n");
    write("crates/a/tests/flow.rs", "/// [GATE-003]\nfn a() {}\n");
    write("crates/a/templates/plan.html", "{# [GATE-004] #}\n");
    write("tests/python/run.py", "# [GATE-005]\n");
    write("conformance/checks.toml", "# [GATE-007]\n");
    write("conformance/targets/other/gate.py", "# [GATE-008]\n");
    write("examples/quick/src/main.rs", "// [GATE-006]\n");
    write("xtask/src/main.rs", "// [GATE-901]\n");
    let found: Vec<_> =
        citations::find(root.path()).unwrap().into_iter().map(|found| (found.id, found.role, found.place)).collect();
    let expected = |id: &str, role, place: &str| (id.to_owned(), role, Path::new(place).display().to_string());
    assert_eq!(
        found,
        [
            expected("GATE-002", Role::Check, "crates/a/src/gate.rs:4"),
            expected("GATE-001", Role::Enforcement, "crates/a/src/lib.rs:1"),
            expected("GATE-004", Role::Enforcement, "crates/a/templates/plan.html:1"),
            expected("GATE-003", Role::Check, "crates/a/tests/flow.rs:1"),
            expected("GATE-005", Role::Check, "tests/python/run.py:1"),
            expected("GATE-007", Role::Check, "conformance/checks.toml:1"),
            expected("GATE-008", Role::Example, "conformance/targets/other/gate.py:1"),
            expected("GATE-006", Role::Example, "examples/quick/src/main.rs:1"),
        ]
    );
}

//! Pods are judged as Pod Security admission judges them: its own fixtures, and whatever they can be turned into.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

use std::collections::BTreeMap;

use approval_kubernetes::findings::pod_security::{Control, Level, StandardsVersion, evaluate};
use kubernetes_oracle::{Fixture, Numbers, ask, edit, fixtures};
use serde_json::{Value, json};

fn controls(pod: &Value, level: Level, minor: u32) -> Vec<Control> {
    let mut controls: Vec<_> =
        evaluate(pod, level, StandardsVersion::minor(minor)).iter().map(|violation| violation.control).collect();
    controls.dedup();
    controls
}

fn control_named(name: &str) -> Control {
    Control::ALL.into_iter().find(|control| control.id().to_lowercase() == name).unwrap_or_else(|| panic!("`{name}`"))
}

#[test]
fn every_fixture_is_judged_as_the_server_judges_it() {
    let mut wrong = Vec::new();
    let mut judged = BTreeMap::<(bool, &str), usize>::new();
    let fixtures = fixtures();
    for Fixture { path, level, minor, passes, control, pod } in &fixtures {
        let controls = controls(pod, *level, *minor);
        if *passes {
            *judged.entry((true, "")).or_default() += 1;
            if !controls.is_empty() {
                wrong.push(format!("{}: {controls:?}", path.display()));
            }
            continue;
        }
        let expected = control_named(control);
        *judged.entry((false, expected.id())).or_default() += 1;
        // At the stricter level a stricter control may stand for the one that the fixture is about.
        let found = |control: &Control| controls.contains(control);
        let stricter = Control::ALL.into_iter().find(|control| control.replaces() == Some(expected));
        let by_stricter = *level == Level::Restricted && stricter.as_ref().is_some_and(found);
        if !found(&expected) && !by_stricter {
            wrong.push(format!("{}: {controls:?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{} of {} are judged otherwise:\n{}", wrong.len(), fixtures.len(), wrong.join("\n"));
    // All controls are among them, and nothing is judged without having been read.
    assert_eq!(judged.len(), Control::ALL.len() + 1, "{judged:?}");
    assert!(fixtures.len() > 4000, "{}", fixtures.len());
    println!("{} fixtures: {judged:?}", fixtures.len());
}

/// The minor versions that are asked about: all, and one that there isn't yet.
const MINORS: usize = 39;

/// How many pods are made of the fixtures.
const MADE: usize = 20_000;

/// One question to both: a pod at a level of a version.
struct Question<'a> {
    level: Level,
    minor: u32,
    pod: &'a Value,
}

#[test]
fn the_servers_own_code_judges_alike() {
    let fixtures = fixtures();
    let mut numbers = Numbers::from_seed(20_261_130);
    let mut make = |_| {
        let pod = &fixtures[numbers.below(fixtures.len())].pod;
        edit(pod.clone(), &mut numbers)
    };
    let made: Vec<Value> = (0..MADE).map(&mut make).collect();
    let levels = [Level::Baseline, Level::Restricted];
    let of_fixtures = fixtures.iter().flat_map(|fixture| levels.map(|level| (level, 37, &fixture.pod)));
    let of_made = made.iter().enumerate().flat_map(|(index, pod)| {
        let minor = u32::try_from(index % MINORS).unwrap();
        levels.map(|level| (level, minor, pod))
    });
    let questions: Vec<_> =
        of_fixtures.chain(of_made).map(|(level, minor, pod)| Question { level, minor, pod }).collect();

    let answers = ask("pods", questions.iter().map(question));
    let mut forbidden = BTreeMap::<String, usize>::new();
    for (Question { level, minor, pod }, answer) in questions.into_iter().zip(answers) {
        let mut expected: Vec<String> = serde_json::from_str(&answer).unwrap();
        let mut found: Vec<_> =
            controls(pod, level, minor).into_iter().map(|control| control.id().to_owned()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "at {level:?} of 1.{minor}:\n{pod:#}");
        for id in expected {
            *forbidden.entry(id).or_default() += 1;
        }
    }
    // The pods that were made meet every control.
    assert_eq!(forbidden.len(), Control::ALL.len(), "{forbidden:?}");
    println!("{} questions: {forbidden:?}", 2 * (fixtures.len() + MADE));
}

fn question(Question { level, minor, pod }: &Question<'_>) -> Value {
    let level = if *level == Level::Baseline { "baseline" } else { "restricted" };
    json!({"level": level, "minor": minor, "pod": defaulted(pod)})
}

/// As the server hands it to admission: a volume of no kind has become an empty directory.
fn defaulted(pod: &Value) -> Value {
    let mut pod = pod.clone();
    for volume in pod.pointer_mut("/spec/volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        let volume = volume.as_object_mut().unwrap();
        if volume.iter().all(|(name, value)| name == "name" || value.is_null()) {
            volume.insert("emptyDir".to_owned(), json!({}));
        }
    }
    pod
}

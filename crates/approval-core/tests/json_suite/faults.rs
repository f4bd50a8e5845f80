//! The fault at the lowest offset, against the naive implementation.

use approval_core::json::{Document, Fault, Limits};
use proptest::prelude::*;

use crate::{naive, texts};

/// Compares the verdicts on one text. [DIG-001] [DIG-002] [DIG-003]
fn compare(text: &[u8], limits: &Limits) -> Result<(), TestCaseError> {
    let verdict = Document::parse(text, limits).map(|_| ()).map_err(|error| (error.fault(), error.offset()));
    match (verdict, naive::verdict(text, limits)) {
        // The canonical bytes may be longer than the text. The naive implementation makes none.
        (Err((Fault::TooLarge, None)), Ok(())) => {
            prop_assert!(Document::parse(text, &Limits::PLAN).unwrap().as_bytes().len() > limits.max_bytes());
        }
        (first, second) => prop_assert_eq!(first, second, "{}", text.escape_ascii()),
    }
    Ok(())
}

fn limits() -> impl Strategy<Value = Limits> {
    prop_oneof![
        4 => Just(Limits::ARGUMENTS),
        1 => (0..60_usize).prop_map(|nodes| Limits::new(1 << 20, nodes)),
        1 => (0..200_usize).prop_map(|bytes| Limits::new(bytes, 200_000)),
    ]
}

proptest! {
    #![proptest_config(texts::cases())]

    #[test]
    fn of_damaged_documents(text in texts::damaged(), limits in limits()) {
        compare(&text, &limits)?;
    }

    #[test]
    fn of_pieces(text in texts::soup(), limits in limits()) {
        compare(&text, &limits)?;
    }

    #[test]
    fn of_objects_with_names_that_come_twice(text in texts::crowded()) {
        compare(&text, &Limits::ARGUMENTS)?;
    }

    #[test]
    fn of_random_bytes(text in prop::collection::vec(any::<u8>(), 0..200)) {
        compare(&text, &Limits::ARGUMENTS)?;
    }
}

#[test]
fn every_prefix_and_every_changed_byte_of_a_document() {
    let text = "{\"b\": [1, 2.50, -0, true, null, {\"\\u00e9\\n\": \"\\ud83d\\ude02 é\"}], \"a\": {\"x\": {}, \"y\": []} , \"c\":false}";
    assert_eq!(naive::verdict(text.as_bytes(), &Limits::ARGUMENTS), Ok(()));
    for end in 0..=text.len() {
        compare(&text.as_bytes()[..end], &Limits::ARGUMENTS).unwrap();
    }
    for place in 0..text.len() {
        for byte in 0..=u8::MAX {
            let mut changed = text.as_bytes().to_vec();
            changed[place] = byte;
            compare(&changed, &Limits::ARGUMENTS).unwrap();
        }
    }
}

//! Which texts are admitted, and which fault is found where.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use approval_core::json::{Document, Fault, Limits};

fn canonical(text: &str) -> String {
    Document::parse(text.as_bytes(), &Limits::ARGUMENTS)
        .unwrap()
        .as_str()
        .to_owned()
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, fault: Fault, offset: usize) {
    let error = Document::parse(text.as_ref(), &Limits::ARGUMENTS).unwrap_err();
    assert_eq!(
        (error.fault(), error.offset()),
        (fault, Some(offset)),
        "{}",
        text.as_ref().escape_ascii()
    );
}

/// The text is at fault as given, and admitted with one detail changed.
#[track_caller]
fn refused_but_for(text: &str, fault: Fault, offset: usize, from: &str, to: &str) {
    refused(text, fault, offset);
    let control = text.replacen(from, to, 1);
    assert_ne!(control, text);
    if let Err(error) = Document::parse(control.as_bytes(), &Limits::ARGUMENTS) {
        panic!("the control `{control}` is refused too: {error}");
    }
}

#[test]
fn numbers_have_one_form() {
    for (token, form) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("0e99999999999999999999999999999999999999", "0"),
        ("1.0", "1"),
        ("1e0", "1"),
        ("1E2", "100"),
        ("10e-1", "1"),
        ("0.1", "0.1"),
        ("1.50", "1.5"),
        ("-1e-7", "-1e-7"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
        (
            "9007199254740991.00000000000000000000000",
            "9007199254740991",
        ),
        ("9.007199254740991e15", "9007199254740991"),
        ("5e-324", "5e-324"),
        ("2.2250738585072014e-308", "2.2250738585072014e-308"),
        ("333333333.3333333", "333333333.3333333"),
    ] {
        assert_eq!(
            canonical(&format!(r#"{{"n":{token}}}"#)),
            format!(r#"{{"n":{form}}}"#)
        );
    }
}

#[test]
fn numbers_without_one_are_refused() {
    for (token, fault) in [
        ("9007199254740992", Fault::IntegerOutOfRange),
        ("9007199254740993", Fault::IntegerOutOfRange),
        ("-9007199254740992", Fault::IntegerOutOfRange),
        ("9007199254740992.0", Fault::IntegerOutOfRange),
        ("1e20", Fault::IntegerOutOfRange),
        ("1.7976931348623157e308", Fault::IntegerOutOfRange),
        (
            "123456789012345678901234567890.1e5",
            Fault::IntegerOutOfRange,
        ),
        ("1.7976931348623159e308", Fault::NotFinite),
        ("1e400", Fault::NotFinite),
        ("-1e400", Fault::NotFinite),
        ("1e99999999999999999999999999999999999999", Fault::NotFinite),
        ("1e-400", Fault::NumberNotCanonical),
        (
            "-1e-99999999999999999999999999999999999",
            Fault::NumberNotCanonical,
        ),
        (
            "0.1000000000000000055511151231257827",
            Fault::NumberNotCanonical,
        ),
        ("9007199254740993.5", Fault::NumberNotCanonical),
        ("333333333.33333329", Fault::NumberNotCanonical),
        ("4e-324", Fault::NumberNotCanonical),
        (
            "12345678901234567890123456789012345678901",
            Fault::NumberTooLong,
        ),
        (
            "0.000000000000000000000000000000000000000",
            Fault::NumberTooLong,
        ),
    ] {
        refused(format!(r#"{{"n": {token}}}"#), fault, 6);
    }
}

#[test]
fn a_number_may_have_forty_bytes() {
    let forty = "0.50000000000000000000000000000000000000";
    assert_eq!(forty.len(), 40);
    assert_eq!(
        canonical(
            &format!("[{forty}]")
                .replace('[', r#"{"n":"#)
                .replace(']', "}")
        ),
        r#"{"n":0.5}"#
    );
    refused(format!(r#"{{"n":{forty}0}}"#), Fault::NumberTooLong, 5);
    // The run of bytes counts, whether or not it becomes a number.
    refused(format!(r#"{{"n":{forty}ex}}"#), Fault::NumberTooLong, 5);
    refused(r#"{"n":0.5ex}"#, Fault::Syntax, 9);
}

//! Which texts are admitted, and which fault is found where.

use approval_core::json::{Document, Fault, Limits};

fn canonical(text: &str) -> String {
    Document::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap().as_str().to_owned()
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, fault: Fault, offset: usize) {
    let error = Document::parse(text.as_ref(), &Limits::ARGUMENTS).unwrap_err();
    assert_eq!((error.fault(), error.offset()), (fault, Some(offset)), "{}", text.as_ref().escape_ascii());
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
        ("9007199254740991.00000000000000000000000", "9007199254740991"),
        ("9.007199254740991e15", "9007199254740991"),
        ("256172437764916.62", "256172437764916.62"),
        ("5e-324", "5e-324"),
        ("2.2250738585072014e-308", "2.2250738585072014e-308"),
        ("333333333.3333333", "333333333.3333333"),
    ] {
        assert_eq!(canonical(&format!(r#"{{"n":{token}}}"#)), format!(r#"{{"n":{form}}}"#));
    }
}

#[test]
fn numbers_without_one_are_refused() {
    // [DIG-020] [DIG-021] [DIG-022] [DIG-023]
    for (token, fault) in [
        ("9007199254740992", Fault::IntegerOutOfRange),
        ("9007199254740993", Fault::IntegerOutOfRange),
        ("-9007199254740992", Fault::IntegerOutOfRange),
        ("9007199254740992.0", Fault::IntegerOutOfRange),
        ("1e20", Fault::IntegerOutOfRange),
        ("1.7976931348623157e308", Fault::IntegerOutOfRange),
        ("123456789012345678901234567890.1e5", Fault::IntegerOutOfRange),
        ("1.7976931348623159e308", Fault::NotFinite),
        ("1e400", Fault::NotFinite),
        ("-1e400", Fault::NotFinite),
        ("1e99999999999999999999999999999999999999", Fault::NotFinite),
        ("1e-400", Fault::NumberNotCanonical),
        ("-1e-99999999999999999999999999999999999", Fault::NumberNotCanonical),
        ("0.1000000000000000055511151231257827", Fault::NumberNotCanonical),
        ("9007199254740993.5", Fault::NumberNotCanonical),
        // The exact value of a double, half-way between two shortest numerals, of which the even one is canonical.
        ("256172437764916.625", Fault::NumberNotCanonical),
        ("256172437764916.63", Fault::NumberNotCanonical),
        ("333333333.33333329", Fault::NumberNotCanonical),
        ("4e-324", Fault::NumberNotCanonical),
        ("12345678901234567890123456789012345678901", Fault::NumberTooLong),
        ("0.000000000000000000000000000000000000000", Fault::NumberTooLong),
    ] {
        refused(format!(r#"{{"n": {token}}}"#), fault, 6);
    }
}

#[test]
fn a_number_may_have_forty_bytes() {
    // [DIG-020]
    let forty = "0.50000000000000000000000000000000000000";
    assert_eq!(forty.len(), 40);
    assert_eq!(canonical(&format!("[{forty}]").replace('[', r#"{"n":"#).replace(']', "}")), r#"{"n":0.5}"#);
    refused(format!(r#"{{"n":{forty}0}}"#), Fault::NumberTooLong, 5);
    // The run of bytes counts, whether or not it becomes a number.
    refused(format!(r#"{{"n":{forty}ex}}"#), Fault::NumberTooLong, 5);
    refused(r#"{"n":0.5ex}"#, Fault::Syntax, 9);
}

#[test]
fn the_outermost_value_is_an_object() {
    assert_eq!(canonical(" {} \n"), "{}");
    // [DIG-012]
    for text in ["[]", "[{}]", "\"a\"", "1", "-1", "1e400", "true", "tx", "null", "f"] {
        refused(format!(" {text}"), Fault::NotAnObject, 1);
    }
    refused("", Fault::Syntax, 0);
    refused("  ", Fault::Syntax, 2);
    refused("x", Fault::Syntax, 0);
}

#[test]
fn nothing_stands_before_or_after_it() {
    refused("\u{feff}{}", Fault::ByteOrderMark, 0); // [DIG-013]
    refused(" \u{feff}{}", Fault::Syntax, 1);
    assert_eq!(canonical("{\"a\":\"\u{feff}\"}"), "{\"a\":\"\u{feff}\"}");
    // [DIG-016]
    refused("{} {}", Fault::TrailingData, 3);
    refused("{}}", Fault::TrailingData, 2);
    refused("{}\0", Fault::TrailingData, 2);
    refused(b"{}\xff", Fault::InvalidUtf8, 2);
}

#[test]
fn bytes_are_utf_8() {
    // [DIG-014]
    refused(b"\xff\xfe{\0}\0", Fault::InvalidUtf8, 0);
    refused(b"{\"a\":\"\xc3\"}", Fault::InvalidUtf8, 6);
    refused(b"{\"a\":\"\xc0\x80\"}", Fault::InvalidUtf8, 6);
    refused(b"{\"a\":\"x\xed\xa0\x80\"}", Fault::InvalidUtf8, 7);
    refused(b"{\"a\":\"\xf4\x90\x80\x80\"}", Fault::InvalidUtf8, 6);
    refused(b"{\"a\":\"\xf0\x9f\x98", Fault::InvalidUtf8, 6);
    refused(b"{\"a\":1e400\xff", Fault::NotFinite, 5);
    assert_eq!(canonical("{\"a\":\"\u{10ffff}é\"}"), "{\"a\":\"\u{10ffff}é\"}");
}

#[test]
fn surrogates_come_in_pairs() {
    assert_eq!(canonical(r#"{"a":"\ud83d\uDE02"}"#), "{\"a\":\"😂\"}");
    // [DIG-015]
    for half in [
        r"\ud83d",
        r"\ude02",
        r"\ud83d\ud83d",
        r"\ud83dx",
        r"\ud83d\n",
        r"\ud83d\u0041",
        r"\ud83d\u12",
        r"\ude02\ud83d",
    ] {
        refused(format!(r#"{{"a":"x{half}"}}"#), Fault::LoneSurrogate, 7);
        refused(format!(r#"{{"x{half}":1}}"#), Fault::LoneSurrogate, 3);
    }
    refused(r#"{"a":"\ud83"}"#, Fault::Syntax, 11);
}

#[test]
fn a_name_occurs_once_after_escapes_are_decoded() {
    // [DIG-028]
    refused_but_for(r#"{"a":1,"b":2,"a":3}"#, Fault::DuplicateName, 13, r#""a":3"#, r#""c":3"#);
    refused_but_for(r#"{"a":1,"\u0061":3}"#, Fault::DuplicateName, 7, "0061", "0062");
    refused_but_for(r#"{"\n":1,"\u000A":3}"#, Fault::DuplicateName, 8, "000A", "000B");
    refused_but_for(r#"{"😂":1,"\ud83d\ude02":3}"#, Fault::DuplicateName, 10, "de02", "de03");
    refused_but_for(r#"{"":1,"":3}"#, Fault::DuplicateName, 6, r#""""#, r#"" ""#);
    refused_but_for(r#"{"x":{"a":1,"a":2}}"#, Fault::DuplicateName, 12, r#""a":2"#, r#""b":2"#);
    // A name may come again in another object.
    assert_eq!(canonical(r#"{"a":{"a":{"a":1}},"b":[{"a":2}]}"#), r#"{"a":{"a":{"a":1}},"b":[{"a":2}]}"#);
    // Composed and decomposed, it's two names.
    assert_eq!(canonical("{\"é\":1,\"e\u{301}\":2}"), "{\"e\u{301}\":2,\"é\":1}");
}

#[test]
fn of_several_faults_the_first_in_the_text_is_reported() {
    // [DIG-003]
    refused(r#"{"b":1,"a":1,"a":2,"b":3}"#, Fault::DuplicateName, 13);
    refused(r#"{"b":1,"a":1,"b":2,"a":3}"#, Fault::DuplicateName, 13);
    refused(r#"{"b":1,"a":1,"b":2,"a":3"#, Fault::DuplicateName, 13);
    // The same name in the object around is none of it.
    refused(r#"{"y":0,"a":{"y":1,"z":2,"z":3}}"#, Fault::DuplicateName, 24);
    refused(r#"{"a":1,"a":{"b":1,"b":2}}"#, Fault::DuplicateName, 7);
    refused(r#"{"x":1,"a":{"b":1,"b":2},"x":3}"#, Fault::DuplicateName, 18);
    refused(r#"{"a":1,"a":{"b":[{"c":1e400}]}}"#, Fault::DuplicateName, 7);
    refused(r#"{"a":1,"a""#, Fault::DuplicateName, 7);
    refused(r#"{"a":1,"a"#, Fault::Syntax, 9);
    refused(r#"{"a":{"b":1e400},"a":1}"#, Fault::NotFinite, 10);
    refused(br#"{"a":1,"a":"?"}"#.map(|byte| if byte == b'?' { 0xff } else { byte }), Fault::DuplicateName, 7);
    refused(r#"{"a":1e400,"b":1e20}"#, Fault::NotFinite, 5);
    refused(r#"{"a":1e20,"b":1e400}"#, Fault::IntegerOutOfRange, 5);
    refused(r#"{"a":"\ud800\x"}"#, Fault::LoneSurrogate, 6);
}

#[test]
fn names_that_a_parser_might_obey_are_refused() {
    // [DIG-027]
    refused_but_for(r#"{"n":{"$serde_json::private::Number":"1"}}"#, Fault::ReservedName, 6, "private", "public");
    refused(r#"{"\u0024serde_json::private::RawValue":"1"}"#, Fault::ReservedName, 1);
    assert_eq!(canonical(r#"{"a":"$serde_json::private::Number"}"#), r#"{"a":"$serde_json::private::Number"}"#);
}

#[test]
fn what_json_doesnt_know_is_refused() {
    // [DIG-017]
    for (text, offset) in [
        ("{", 1),
        ("{,}", 1),
        ("{a:1}", 1),
        ("{'a':1}", 1),
        (r#"{"a"}"#, 4),
        (r#"{"a" 1}"#, 5),
        (r#"{"a":}"#, 5),
        (r#"{"a":1,}"#, 7),
        (r#"{"a":1 "b":2}"#, 7),
        (r#"{"a":[1,]}"#, 8),
        (r#"{"a":[1 2]}"#, 8),
        (r#"{"a":[}"#, 6),
        (r#"{"a":[1}"#, 7),
        (r#"{"a":+1}"#, 5),
        (r#"{"a":.5}"#, 5),
        (r#"{"a":01}"#, 6),
        (r#"{"a":1.}"#, 7),
        (r#"{"a":1e}"#, 7),
        (r#"{"a":-}"#, 6),
        (r#"{"a":NaN}"#, 5),
        (r#"{"a":Infinity}"#, 5),
        (r#"{"a":-Infinity}"#, 6),
        (r#"{"a":truE}"#, 8),
        (r#"{"a":nul"#, 8),
        (r#"{"a":1}//"#, 7),
        (r#"{"a":/**/1}"#, 5),
        (r#"{"a":"\x"}"#, 7),
        (r#"{"a":"\u00g0"}"#, 10),
        ("{\"a\":\"\n\"}", 6),
        ("{\"a\":\"\0\"}", 6),
        ("{\u{a0}}", 1),
        ("{\"a\":\u{b}1}", 5),
    ] {
        let fault = if text.ends_with("//") { Fault::TrailingData } else { Fault::Syntax };
        refused(text, fault, offset);
    }
}

#[test]
fn sixty_four_containers_may_be_open() {
    // [DIG-025]
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(canonical(&nested(64)), nested(64));
    refused(nested(65), Fault::TooDeep, 5 + 63);
    // They count while they are open only.
    let wide = format!("{{\"a\":[{}]}}", vec!["[[]]"; 100].join(","));
    assert_eq!(canonical(&wide), wide);
}

#[test]
fn limits_are_counted_exactly() {
    let text = r#"{ "a" : [ 1 , "x" ] }"#;
    let admitted = |bytes, nodes| Document::parse(text.as_bytes(), &Limits::new(bytes, nodes));
    assert_eq!(admitted(text.len(), 4).unwrap().as_str(), r#"{"a":[1,"x"]}"#);
    // [DIG-010]
    let error = admitted(text.len() - 1, 4).unwrap_err();
    assert_eq!((error.fault(), error.offset()), (Fault::TooLarge, None));
    // [DIG-026]
    let error = admitted(text.len(), 3).unwrap_err();
    assert_eq!((error.fault(), error.offset()), (Fault::TooManyNodes, text.find(r#""x""#)));
    // Size comes before everything else.
    let error = Document::parse(b"\xef\xbb\xbf[", &Limits::new(3, 0)).unwrap_err();
    assert_eq!(error.fault(), Fault::TooLarge);
}

#[test]
fn canonical_bytes_may_not_outgrow_the_limit() {
    // [DIG-011]
    let text = br#"{"a":9e15}"#;
    assert_eq!(Document::parse(text, &Limits::new(22, 9)).unwrap().as_str(), r#"{"a":9000000000000000}"#);
    let error = Document::parse(text, &Limits::new(21, 9)).unwrap_err();
    assert_eq!((error.fault(), error.offset()), (Fault::TooLarge, None));
}

#[test]
fn a_refusal_says_what_and_where() {
    let error = Document::parse(br#"{"a":1,"a":2}"#, &Limits::ARGUMENTS).unwrap_err();
    assert_eq!(error.code(), "duplicate_name");
    assert_eq!(error.to_string(), "a second member of the same name, at byte 7");
    assert_eq!(error.pointer(), None);
}

#[test]
fn the_limits_are_those_of_the_profile() {
    // [DIG-029]
    let sizes = |limits: Limits| (limits.max_bytes(), limits.max_nodes());
    assert_eq!(sizes(Limits::ARGUMENTS), (2 * 1024 * 1024, 200_000));
    assert_eq!(sizes(Limits::PLAN), (16 * 1024 * 1024, 2_000_000));
    assert_eq!(sizes(Limits::RESULT), (16 * 1024, 8 * 1024));
    assert_eq!((Limits::MAX_DEPTH, Limits::MAX_NUMBER_LEN), (64, 40));
}

//! The examples of RFC 8785 and of its authors' test suite.

use approval_core::json::{Document, Fault, Limits};

fn canonical(text: &str) -> String {
    Document::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap().as_str().to_owned()
}

// [DIG-030]

#[test]
fn the_example_of_section_3_2_2() {
    let text = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    // Two of its numbers are not what they canonicalise to, or not distinguishable from their neighbours.
    let error = Document::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap_err();
    assert_eq!((error.fault(), error.offset()), (Fault::NumberNotCanonical, text.find("333333333")));
    let text = text.replace("333333333.33333329", "333333333.3333333");
    let error = Document::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap_err();
    assert_eq!((error.fault(), error.offset()), (Fault::IntegerOutOfRange, text.find("1E30")));
    assert_eq!(
        canonical(&text.replace("1E30", "1E15")),
        r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1000000000000000,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
    );
}

#[test]
fn the_example_of_section_3_2_3() {
    // [DIG-032]
    let text = r#"{
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let document = Document::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap();
    let order: Vec<_> = ["Carriage Return", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
        .map(|value| document.as_str().find(value).unwrap())
        .into();
    assert!(order.is_sorted());
}

#[test]
fn the_authors_suite() {
    for (text, expected) in [
        (
            // arrays.json, in an object
            r#"{"a":[56,{"d":true,"10":null,"1":[ ]}]}"#,
            r#"{"a":[56,{"1":[],"10":null,"d":true}]}"#,
        ),
        (
            // french.json
            r#"{"peach":"This sorting order","péché":"is wrong according to French","pêche":"but canonicalization MUST","sin":"ignore locale"}"#,
            r#"{"peach":"This sorting order","péché":"is wrong according to French","pêche":"but canonicalization MUST","sin":"ignore locale"}"#,
        ),
        (
            // structures.json
            r#"{"1": {"f": {"f": "hi","F": 5} ,"\n": 56.0}, "10": { }, "": "empty", "a": { }, "111": [ {"e": "yes","E": "no" } ], "A": { }}"#,
            r#"{"":"empty","1":{"\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}"#,
        ),
        (
            // unicode.json
            r#"{"Unnormalized Unicode":"A\u030a"}"#,
            "{\"Unnormalized Unicode\":\"A\u{30a}\"}",
        ),
        (
            // weird.json
            r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\u000a":"Newline","1":"One","\u0080":"Control\u007f","\ud83d\ude02":"Smiley","\u00f6":"Latin Small Letter O With Diaeresis","\ufb33":"Hebrew Letter Dalet With Dagesh","</script>":"Browser Challenge"}"#,
            "{\"\\n\":\"Newline\",\"\\r\":\"Carriage Return\",\"1\":\"One\",\"</script>\":\"Browser Challenge\",\"\u{80}\":\"Control\u{7f}\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😂\":\"Smiley\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
        ),
    ] {
        assert_eq!(canonical(text), expected);
    }
}

#[test]
fn every_control_character_has_one_escape() {
    // [DIG-031]
    for code in 0..=0xff_u32 {
        let character = char::from_u32(code).unwrap();
        let expected = match code {
            0x08 => r"\b".to_owned(),
            0x09 => r"\t".to_owned(),
            0x0a => r"\n".to_owned(),
            0x0c => r"\f".to_owned(),
            0x0d => r"\r".to_owned(),
            0x22 => r#"\""#.to_owned(),
            0x5c => r"\\".to_owned(),
            0x00..=0x1f => format!("\\u{code:04x}"),
            _ => character.to_string(),
        };
        let expected = format!("{{\"a\":\"{expected}\"}}");
        assert_eq!(canonical(&format!("{{\"a\":\"\\u{code:04X}\"}}")), expected);
        let value = serde_json::json!({ "a": character.to_string() });
        assert_eq!(Document::from_value(&value, &Limits::ARGUMENTS).unwrap().as_str(), expected);
    }
}

//! Records and values of one's own: the same bytes as their text would give, or a refusal that says where.

use std::collections::BTreeMap;

use approval_core::json::{Document, Fault, Limits};
use serde::Serialize;
use serde::ser::{Error as _, SerializeMap, SerializeSeq, Serializer};
use serde_json::json;

#[track_caller]
fn written(value: impl Serialize) -> String {
    let document = Document::from_serialize(&value, &Limits::ARGUMENTS).unwrap();
    assert_eq!(Document::parse(document.as_bytes(), &Limits::ARGUMENTS).unwrap(), document);
    document.as_str().to_owned()
}

#[track_caller]
fn refused(value: impl Serialize, fault: Fault, pointer: &str) {
    let error = Document::from_serialize(&value, &Limits::ARGUMENTS).unwrap_err();
    assert_eq!((error.fault(), error.pointer(), error.offset()), (fault, Some(pointer), None));
}

#[derive(Serialize)]
struct Record<'a> {
    z: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<u64>,
    unit: (),
    tuple: (bool, char, &'a str),
    list: Vec<Shape>,
    map: BTreeMap<&'static str, f64>,
    newtype: Newtype,
}

#[derive(Serialize)]
struct Newtype(u8);

#[derive(Serialize)]
enum Shape {
    Empty,
    Round(f64),
    Pair(i32, i32),
    Named { b: &'static str, a: Option<Box<Shape>> },
}

#[test]
fn a_pointer_has_the_name_as_it_is() {
    for name in ["", "\"", "\"\"", "a\"", "\\\"", "\n\u{1}", "a~b/c", "é\u{10000}"] {
        let value = json!({ "first": 1, name: f64::MAX });
        let error = Document::from_value(&value, &Limits::ARGUMENTS).unwrap_err();
        assert_eq!(value.pointer(error.pointer().unwrap()), Some(&json!(f64::MAX)), "{name:?}");
    }
}

#[test]
fn a_record_is_written_sorted() {
    let record = Record {
        z: None,
        y: None,
        unit: (),
        tuple: (true, '😂', "a\"\n"),
        list: vec![
            Shape::Empty,
            Shape::Round(-0.0),
            Shape::Pair(-1, 1),
            Shape::Named { b: "", a: Some(Box::new(Shape::Round(1e-7))) },
        ],
        map: BTreeMap::from([("q", 1.0), ("p", 0.5)]),
        newtype: Newtype(7),
    };
    assert_eq!(
        written(&record),
        r#"{"list":["Empty",{"Round":0},{"Pair":[-1,1]},{"Named":{"a":{"Round":1e-7},"b":""}}],"map":{"p":0.5,"q":1},"newtype":7,"tuple":[true,"😂","a\"\n"],"unit":null,"z":null}"#
    );
}

#[test]
fn a_tuple_with_a_name_is_an_array() {
    #[derive(Serialize)]
    struct Pair(u8, &'static str);

    assert_eq!(written(BTreeMap::from([("pair", Pair(1, "b"))])), r#"{"pair":[1,"b"]}"#);
}

#[test]
fn every_kind_of_number_is_written() {
    let signed = (i8::MIN, i16::MIN, i32::MIN, -9_007_199_254_740_991_i64, -1_isize);
    let unsigned = (u8::MAX, u16::MAX, u32::MAX, 9_007_199_254_740_991_u64, 1_usize);
    let decimal = (0.5_f64, -0.0_f64, 1e-7_f64, 1e-21_f64);
    #[derive(Serialize)]
    struct Nothing;

    #[derive(Serialize)]
    struct Numbers<S, U, D> {
        nothing: Nothing,
        signed: S,
        unsigned: U,
        decimal: D,
    }
    assert_eq!(
        written(Numbers { nothing: Nothing, signed, unsigned, decimal }),
        concat!(
            r#"{"decimal":[0.5,0,1e-7,1e-21],"nothing":null,"signed":[-128,-32768,-2147483648,-9007199254740991,-1],"#,
            r#""unsigned":[255,65535,4294967295,9007199254740991,1]}"#
        )
    );
}

#[test]
fn integers_beyond_the_range_are_refused() {
    // [DIG-022]
    assert_eq!(
        written(json!({ "n": [9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64] })),
        r#"{"n":[9007199254740991,-9007199254740991]}"#
    );
    for n in [
        json!(9_007_199_254_740_992_u64),
        json!(-9_007_199_254_740_992_i64),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e20),
        json!(9_007_199_254_740_992.0),
    ] {
        refused(json!({ "a/b": [0, { "~": n }] }), Fault::IntegerOutOfRange, "/a~1b/1/~0");
    }
}

#[test]
fn what_isnt_finite_is_refused_everywhere() {
    // [DIG-055]
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refused(BTreeMap::from([("a", number)]), Fault::NotFinite, "/a");
        refused(BTreeMap::from([("a", vec![Some(number)])]), Fault::NotFinite, "/a/0");
        refused(BTreeMap::from([("a", Shape::Round(number))]), Fault::NotFinite, "/a/Round");
        refused(Shape::Named { b: "", a: Some(Box::new(Shape::Round(number))) }, Fault::NotFinite, "/Named/a/Round");
    }
}

#[test]
fn the_outermost_value_is_an_object() {
    // [DIG-012]
    refused(json!([]), Fault::NotAnObject, "");
    refused(json!(1), Fault::NotAnObject, "");
    refused("a", Fault::NotAnObject, "");
    refused((), Fault::NotAnObject, "");
    assert_eq!(written(Shape::Round(1.0)), r#"{"Round":1}"#);
}

#[test]
fn types_without_an_agreed_form_are_refused() {
    struct Bytes;

    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(b"a")
        }
    }

    // [DIG-054]
    refused(BTreeMap::from([("a", 0.5_f32)]), Fault::UnsupportedType, "/a");
    refused(BTreeMap::from([("a", 1_i128)]), Fault::UnsupportedType, "/a");
    refused(BTreeMap::from([("a", 1_u128)]), Fault::UnsupportedType, "/a");
    refused(BTreeMap::from([("a", Bytes)]), Fault::UnsupportedType, "/a");
}

#[test]
fn a_failure_of_the_value_itself_is_passed_on() {
    struct Stubborn;

    impl Serialize for Stubborn {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("not today"))
        }
    }

    // [DIG-054]
    let error = Document::from_serialize(&BTreeMap::from([("a", Stubborn)]), &Limits::ARGUMENTS).unwrap_err();
    assert_eq!(error.code(), "unserializable");
    assert_eq!(error.to_string(), "a value that can't be serialised, at `/a`: not today");

    struct Telling;

    impl Serialize for Telling {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_u64(u64::MAX).map_err(|error| S::Error::custom(format!("it says: {error}")))
        }
    }

    let error = Document::from_serialize(&BTreeMap::from([("a", Telling)]), &Limits::ARGUMENTS).unwrap_err();
    let told = "it says: an integral number beyond ±9007199254740991; send it as a string";
    assert!(error.to_string().ends_with(told), "{error}");
}

#[test]
fn keys_are_strings() {
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    #[serde(rename_all = "lowercase")]
    enum Key {
        One,
        Two(u8),
    }

    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Wrapped(&'static str);

    // [DIG-052]
    refused(json_map(1_u64), Fault::NameNotAString, "/in");
    refused(json_map(1_i32), Fault::NameNotAString, "/in");
    refused(json_map(true), Fault::NameNotAString, "/in");
    refused(json_map(Some("a")), Fault::NameNotAString, "/in");
    refused(json_map(None::<&str>), Fault::NameNotAString, "/in");
    refused(json_map(Key::Two(2)), Fault::NameNotAString, "/in");
    refused(json_map(()), Fault::NameNotAString, "/in");
    refused(json_map(["a"]), Fault::NameNotAString, "/in");
    assert_eq!(written(json_map("a")), r#"{"in":{"a":0}}"#);
    assert_eq!(written(json_map('a')), r#"{"in":{"a":0}}"#);
    assert_eq!(written(json_map(Key::One)), r#"{"in":{"one":0}}"#);
    assert_eq!(written(json_map(Wrapped("a"))), r#"{"in":{"a":0}}"#);
}

fn json_map<K: Ord>(key: K) -> BTreeMap<&'static str, BTreeMap<K, u8>> {
    BTreeMap::from([("in", BTreeMap::from([(key, 0)]))])
}

#[test]
fn colliding_members_are_refused() {
    #[derive(Serialize)]
    struct Outer {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<&'static str, u8>,
    }

    #[derive(Serialize)]
    struct Flat {
        #[serde(flatten)]
        first: Inner,
        #[serde(flatten)]
        second: Inner,
    }

    #[derive(Serialize)]
    struct Inner {
        b: u8,
    }

    struct Twice;

    impl Serialize for Twice {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            map.serialize_entry("x", &1)?;
            map.serialize_entry("w", &1)?;
            map.serialize_entry("x", &1)?;
            map.end()
        }
    }

    // [DIG-028] [DIG-050]
    assert_eq!(written(Outer { a: 1, rest: BTreeMap::from([("0", 2)]) }), r#"{"0":2,"a":1}"#);
    refused(Outer { a: 1, rest: BTreeMap::from([("a", 1)]) }, Fault::DuplicateName, "/a");
    refused(Flat { first: Inner { b: 1 }, second: Inner { b: 2 } }, Fault::DuplicateName, "/b");
    refused(BTreeMap::from([("in", vec![Twice])]), Fault::DuplicateName, "/in/0/x");
}

#[test]
fn reserved_names_are_refused() {
    // [DIG-027] [DIG-050]
    refused(
        json!({ "a": [{ "$serde_json::private::Number": "1" }] }),
        Fault::ReservedName,
        "/a/0/$serde_json::private::Number",
    );
    assert_eq!(written(json!({ "$serde_json": 1 })), r#"{"$serde_json":1}"#);
}

#[test]
fn limits_hold_for_values() {
    // [DIG-011] [DIG-026] [DIG-050]
    let value = json!({ "a": [1, "xyz"] });
    let admitted = |bytes, nodes| Document::from_value(&value, &Limits::new(bytes, nodes));
    assert_eq!(admitted(15, 4).unwrap().as_str(), r#"{"a":[1,"xyz"]}"#);
    let error = admitted(14, 4).unwrap_err();
    assert_eq!((error.fault(), error.pointer()), (Fault::TooLarge, None));
    let error = admitted(15, 3).unwrap_err();
    assert_eq!((error.fault(), error.pointer()), (Fault::TooManyNodes, Some("/a/1")));
}

#[test]
fn depth_holds_for_values() {
    // [DIG-025] [DIG-050]
    let nested = |depth: usize| {
        let inner = (2..depth).fold(json!([]), |value, _| json!([value]));
        json!({ "a": inner })
    };
    assert_eq!(written(nested(64)).matches('[').count(), 63);
    let pointer = format!("/a{}", "/0".repeat(63));
    refused(nested(65), Fault::TooDeep, &pointer);
    refused(nested(100), Fault::TooDeep, &pointer);
}

#[test]
fn a_value_without_end_is_stopped() {
    struct Endless;

    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            map.serialize_entry("in", self)?;
            map.end()
        }
    }

    struct Wide;

    impl Serialize for Wide {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            let mut name = 0_u64;
            loop {
                map.serialize_entry(&name.to_string(), "a text that fills the limit sooner or later")?;
                name += 1;
            }
        }
    }

    // [DIG-004]
    refused(Endless, Fault::TooDeep, &"/in".repeat(64));
    let error = Document::from_serialize(&Wide, &Limits::ARGUMENTS).unwrap_err();
    assert_eq!(error.fault(), Fault::TooLarge);
}

/// A serialisation that is wrong in itself, by a sequence of calls.
struct Script(&'static [Call]);

#[derive(Clone, Copy)]
enum Call {
    Key(&'static str),
    Value(u64),
    /// As before, but the error is lost.
    LostKey(u64),
    LostValue(u64),
}

impl Serialize for Script {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for call in self.0 {
            match call {
                Call::Key(key) => map.serialize_key(key)?,
                Call::Value(value) => map.serialize_value(value)?,
                Call::LostKey(key) => assert!(map.serialize_key(key).is_err()),
                Call::LostValue(value) => assert!(map.serialize_value(value).is_err()),
            }
        }
        map.end()
    }
}

#[test]
fn a_serialisation_that_is_wrong_in_itself_gives_no_document() {
    use Call::{Key, LostKey, LostValue, Value};

    const TOO_LARGE: u64 = u64::MAX;
    assert_eq!(written(Script(&[Key("b"), Value(1), Key("a"), Value(2)])), r#"{"a":2,"b":1}"#);
    let scripts: [&[Call]; 7] = [
        &[Key("a")],
        &[Value(1)],
        &[Key("a"), Key("b"), Value(1)],
        &[Key("a"), Value(1), Value(2)],
        &[LostKey(1)],
        &[Key("a"), LostValue(TOO_LARGE)],
        &[Key("a"), LostValue(TOO_LARGE), LostValue(1)],
    ];
    for script in scripts {
        // [DIG-054]
        refused(BTreeMap::from([("in", Script(script))]), Fault::Unserializable, "/in");
    }
}

#[test]
fn an_error_that_a_sequence_loses_gives_no_document() {
    struct Lossy(Vec<f64>);

    impl Serialize for Lossy {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(None)?;
            for number in &self.0 {
                let _ = seq.serialize_element(number);
            }
            seq.end()
        }
    }

    assert_eq!(written(BTreeMap::from([("in", Lossy(vec![1.0, 0.5]))])), r#"{"in":[1,0.5]}"#);
    refused(BTreeMap::from([("in", Lossy(vec![1.0, f64::NAN]))]), Fault::Unserializable, "/in");
    refused(BTreeMap::from([("in", Lossy(vec![f64::NAN, 1.0]))]), Fault::Unserializable, "/in");
}

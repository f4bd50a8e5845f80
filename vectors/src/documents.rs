//! Documents that are admitted, and texts that are not.

use anyhow::{Context as _, Result, bail, ensure};
use approval_core::json::{Document, Limits};
use serde_json::{Value, json};

use crate::bytes::Bytes;
use crate::file::{Category, Vector};

/// Bytes that are admitted, with their canonical form. [DIG-030, DIG-031, DIG-032, DIG-033, DIG-034, DIG-040]
pub(crate) fn accepted() -> Result<Category> {
    let mut made = Vec::new();
    for (name, text) in ACCEPTED {
        made.push(admitted(name, &Bytes::of(text), &Limits::ARGUMENTS)?);
    }
    for (name, token) in NUMBERS {
        let text = format!(r#"{{"n": {token}}}"#);
        made.push(admitted(&format!("number-{name}"), &Bytes::of(text), &Limits::ARGUMENTS)?);
    }
    for (name, bytes) in [
        ("sixty-four-containers", Bytes::of("{\"a\":").repeat("[", 63).repeat("]", 63).and("}")),
        ("sixty-four-objects", Bytes::of("{\"a\":").repeat("{\"a\":", 62).and("{}").repeat("}", 63)),
        ("containers-count-while-open-only", Bytes::of("{\"a\":[").repeat("[[]],", 100).and("[]]}")),
        ("every-node-of-the-limit", Bytes::of("{\"a\":[").repeat("\"\",", 199_997).and("\"\"]}")),
        ("every-byte-of-the-limit", Bytes::of("{\"a\":\"").repeat("x", (2 << 20) - 8).and("\"}")),
        ("white-space-up-to-the-limit", Bytes::of("{}").repeat(" ", (2 << 20) - 2)),
    ] {
        made.push(admitted(name, &bytes, &Limits::ARGUMENTS)?);
    }
    let exactly = Bytes::of(r#"{ "a" : [ 1 , "x" ] }"#);
    made.push(admitted("a-limit-of-one-s-own-reached", &exactly, &Limits::new(exactly.bytes().len(), 4))?);
    let grown = Bytes::of(r#"{"a":9e15}"#);
    made.push(admitted("canonical-form-as-long-as-the-limit", &grown, &Limits::new(22, 9))?);
    let escapes = (0..0x20_u32).map(|code| format!("\\u{code:04x}")).collect::<String>();
    let escapes = Bytes::of(format!("{{\"a\":\"{escapes}\\u007f\\u0080\\u2028\\/\\\"\\\\\"}}"));
    made.push(admitted("escapes-of-control-characters", &escapes, &Limits::ARGUMENTS)?);
    Category::new(
        "accepted-documents",
        "Bytes that are admitted, their canonical bytes (as text; left out where the bytes are given by pieces) and the digest of those. Limits are those of the arguments of a call unless others are given.",
        made,
    )
}

fn admitted(name: &str, bytes: &Bytes, limits: &Limits) -> Result<Vector> {
    let document = Document::parse(&bytes.bytes(), limits).with_context(|| format!("`{name}`"))?;
    let mut expect = json!({ "verdict": "accepted", "digest": document.digest() });
    if bytes.is_short() {
        expect["canonical"] = document.as_str().into();
    }
    Ok(Vector::new(name, input(bytes, limits), expect))
}

/// Texts that are refused: each with its one reason, or with several of which the first is given. [DIG-002] [DIG-003]
pub(crate) fn refused() -> Result<Category> {
    let mut made = Vec::new();
    let usual = &Limits::ARGUMENTS;
    for (name, reason, text) in REFUSED {
        made.push(inadmissible(name, reason, &Bytes::of(text), usual)?);
    }
    for (name, reason, bytes) in REFUSED_BYTES {
        made.push(inadmissible(name, reason, &Bytes::of(bytes), usual)?);
    }
    for (reason, numbers) in [
        ("integer_out_of_range", OUT_OF_RANGE),
        ("not_finite", NOT_FINITE),
        ("number_not_canonical", NOT_CANONICAL),
        ("number_too_long", TOO_LONG),
    ] {
        for (name, token) in numbers {
            let bytes = Bytes::of(format!(r#"{{"n": {token}}}"#));
            made.push(inadmissible(&format!("number-{name}"), reason, &bytes, usual)?);
        }
    }
    for (name, reason, bytes) in [
        ("sixty-five-containers", "too_deep", Bytes::of("{\"a\":").repeat("[", 64).repeat("]", 64).and("}")),
        ("sixty-five-objects", "too_deep", Bytes::of("{\"a\":").repeat("{\"a\":", 63).and("{}").repeat("}", 64)),
        ("a-hundred-thousand-brackets", "too_deep", Bytes::of("{\"a\":").repeat("[", 100_000)),
        ("number-of-a-megabyte", "number_too_long", Bytes::of("{\"a\":").repeat("1", 1 << 20).and("}")),
        ("one-node-too-many", "too_many_nodes", Bytes::of("{\"a\":[").repeat("\"\",", 199_998).and("\"\"]}")),
        ("one-byte-too-many", "too_large", Bytes::of("{\"a\":\"").repeat("x", (2 << 20) - 7).and("\"}")),
        ("white-space-beyond-the-limit", "too_large", Bytes::of("{}").repeat(" ", (2 << 20) - 1)),
        ("too-large-before-a-byte-order-mark", "too_large", Bytes::of("\u{feff}").repeat("[", 2 << 20)),
    ] {
        made.push(inadmissible(name, reason, &bytes, usual)?);
    }
    for (name, reason, text, bytes, nodes) in [
        ("node-beyond-a-limit-of-one-s-own", "too_many_nodes", r#"{ "a" : [ 1 , "x" ] }"#, 21, 3),
        ("byte-beyond-a-limit-of-one-s-own", "too_large", r#"{ "a" : [ 1 , "x" ] }"#, 20, 4),
        ("outermost-object-is-a-node", "too_many_nodes", "{}", 20, 0),
        ("node-that-begins-and-is-no-value", "too_many_nodes", r#"{"a":tx}"#, 20, 1),
        ("canonical-form-beyond-the-limit", "too_large", r#"{"a":9e15}"#, 21, 9),
        ("size-before-everything", "too_large", "\u{feff}[", 3, 0),
        ("first-before-the-canonical-size", "duplicate_name", r#"{"a":9e15,"a":1}"#, 16, 9),
        ("nodes-before-depth-at-one-place", "too_many_nodes", &format!("{{\"a\":{}", "[".repeat(64)), 100, 64),
        ("nodes-before-a-number", "too_many_nodes", r#"{"a":1e400}"#, 100, 1),
        ("not-an-object-before-nodes", "not_an_object", "[]", 100, 0),
    ] {
        made.push(inadmissible(name, reason, &Bytes::of(text), &Limits::new(bytes, nodes))?);
    }
    Category::new(
        "refused-documents",
        "Bytes that are refused, with the reason and the offset that DIG-002 and DIG-003 ask for; `too_large` has none. Limits are those of the arguments of a call unless others are given.",
        made,
    )
}

fn inadmissible(name: &str, reason: &str, bytes: &Bytes, limits: &Limits) -> Result<Vector> {
    let Err(found) = Document::parse(&bytes.bytes(), limits) else { bail!("`{name}` is admitted") };
    ensure!(found.code() == reason, "`{name}`: {reason} intended, {} found", found.code());
    let expect = json!({ "verdict": "refused", "reason": reason, "offset": found.offset() });
    Ok(Vector::new(name, input(bytes, limits), expect))
}

fn input(bytes: &Bytes, limits: &Limits) -> Value {
    let mut input = json!({ "bytes": bytes.written() });
    if *limits != Limits::ARGUMENTS {
        input["limits"] = json!({ "bytes": limits.max_bytes(), "nodes": limits.max_nodes() });
    }
    input
}

const ACCEPTED: &[(&str, &str)] = &[
    ("empty-object", "{}"),
    ("white-space-of-all-four-kinds", " \t\r\n{ \t\r\n} \t\r\n"),
    ("white-space-between-all-tokens", "{ \"a\" : [ 1 , true , null ] , \"b\" : { } }"),
    ("literals", r#"{"t":true,"f":false,"n":null}"#),
    ("members-in-another-order", r#"{"b":1,"a":2,"":3,"aa":4,"A":5}"#),
    (
        "members-sorted-by-utf-16",
        "{\"\u{fb33}\":1,\"\u{1f602}\":2,\"\u{20ac}\":3,\"\u{e000}\":4,\"\u{10ffff}\":5,\"\u{ffff}\":6}",
    ),
    ("members-sorted-after-escapes", r#"{"\u0062":1,"a":2,"\u0000":3,"\n":4,"\"":5}"#),
    ("members-sorted-at-every-depth", r#"{"b":[{"d":1,"c":{"f":2,"e":3}}],"a":0}"#),
    ("names-of-which-one-begins-the-other", r#"{"aab":1,"aa":2,"a":3}"#),
    ("number-like-names-sorted-as-text", r#"{"10":1,"9":2,"1":3}"#),
    ("surrogate-pair-escaped", r#"{"a":"\ud83d\uDE02"}"#),
    ("highest-code-point", "{\"a\":\"\u{10ffff}\"}"),
    ("noncharacters", "{\"a\":\"\u{fffe}\u{ffff}\u{fdd0}\"}"),
    ("byte-order-mark-within-a-string", "{\"a\":\"\u{feff}\"}"),
    ("no-normalisation", "{\"\u{e9}\":1,\"e\u{301}\":2,\"a\":\"A\u{30a}\"}"),
    ("solidus-unescaped", r#"{"a":"\/"}"#),
    ("line-separators-unescaped", "{\"a\":\"\u{2028}\u{2029}\u{7f}\u{80}\"}"),
    ("escapes-of-letters", r#"{"\u0061\u006A":"\u00e9\u4e2d"}"#),
    ("name-again-in-another-object", r#"{"a":{"a":{"a":1}},"b":[{"a":2},{"a":3}]}"#),
    ("prototype-names", r#"{"__proto__":{"constructor":1},"toString":2,"hasOwnProperty":3}"#),
    ("prototype-name-alone", r#"{"a":{"__proto__":1}}"#),
    ("reserved-text-as-a-value", r#"{"a":"$serde_json::private::Number"}"#),
    ("reserved-text-within-a-name", r#"{"a$serde_json::private::Number":1,"$serde_json::private:":2}"#),
    ("deep-and-wide", r#"{"a":[[],[[]],{"b":[{}]},[1,[2,[3]]]]}"#),
    ("string-that-looks-like-json", r#"{"a":"{\"b\":[1]}"}"#),
    (
        "the-structures-of-rfc-8785-s-authors",
        r#"{"1": {"f": {"f": "hi","F": 5} ,"\n": 56.0}, "10": { }, "": "empty", "a": { }, "111": [ {"e": "yes","E": "no" } ], "A": { }}"#,
    ),
];

const NUMBERS: &[(&str, &str)] = &[
    ("zero", "0"),
    ("minus-zero", "-0"),
    ("minus-zero-with-a-fraction", "-0.00"),
    ("zero-to-the-highest", "0e99999999999999999999999999999999999999"),
    ("zero-to-the-lowest", "-0e-999999999999999999999999999999999999"),
    ("fraction-of-zero", "1.0"),
    ("exponent-of-zero", "1e0"),
    ("exponent-with-plus-and-zeros", "1e+002"),
    ("capital-exponent", "1E2"),
    ("negative-exponent-that-cancels", "100e-2"),
    ("trailing-zero", "0.10"),
    ("largest-integer", "9007199254740991"),
    ("smallest-integer", "-9007199254740991"),
    ("largest-integer-with-a-fraction-of-zeros", "9007199254740991.00000000000000000000000"),
    ("largest-integer-with-an-exponent", "9.007199254740991e15"),
    ("last-without-exponent", "0.000001"),
    ("first-with-exponent", "0.0000001"),
    ("fraction-of-a-large-number", "1424953923781206.2"),
    ("half-beyond-the-safe-integers-halved", "4503599627370495.5"),
    ("seventeen-digits", "0.30000000000000004"),
    ("many-small-digits", "-0.0000033333333333333333"),
    ("smallest-double", "5e-324"),
    ("smallest-double-in-other-words", "0.5E-323"),
    ("smallest-normal-double", "2.2250738585072014e-308"),
    ("largest-subnormal-double", "2.225073858507201e-308"),
    ("tie-in-its-canonical-form", "256172437764916.62"),
    ("forty-bytes", "0.50000000000000000000000000000000000000"),
];

const OUT_OF_RANGE: &[(&str, &str)] = &[
    ("one-beyond-the-largest", "9007199254740992"),
    ("two-beyond-the-largest", "9007199254740993"),
    ("one-beyond-the-smallest", "-9007199254740992"),
    ("beyond-with-a-fraction-of-zeros", "9007199254740992.0"),
    ("beyond-by-its-exponent", "1e16"),
    ("beyond-by-a-fraction-and-an-exponent", "90071992547409.92e2"),
    ("ten-to-the-twentieth", "1e20"),
    ("unsigned-64-bit", "18446744073709551615"),
    ("largest-double", "1.7976931348623157e308"),
    ("beyond-and-not-exact", "123456789012345678901234567890.1e5"),
    ("nearest-double-is-still-finite", "1.7976931348623158e308"),
];

const NOT_FINITE: &[(&str, &str)] = &[
    ("halfway-to-infinity", "1.7976931348623159e308"),
    ("ten-to-the-four-hundredth", "1e400"),
    ("minus-ten-to-the-four-hundredth", "-1e400"),
    ("exponent-of-many-digits", "1e99999999999999999999999999999999999999"),
];

const NOT_CANONICAL: &[(&str, &str)] = &[
    ("below-the-smallest-double", "1e-400"),
    ("below-by-an-exponent-of-many-digits", "-1e-99999999999999999999999999999999999"),
    ("a-tenth-and-more", "0.1000000000000000055511151231257827"),
    ("a-digit-too-many", "333333333.33333329"),
    ("half-beyond-the-safe-integers", "9007199254740993.5"),
    ("exact-value-of-a-double-between-two-forms", "256172437764916.625"),
    ("upper-of-two-forms", "256172437764916.63"),
    ("rounds-to-the-smallest-double", "4e-324"),
    ("rounds-to-an-integer", "0.99999999999999999999"),
    ("third-of-thirty-digits", "0.333333333333333333333333333333"),
];

const TOO_LONG: &[(&str, &str)] = &[
    ("forty-one-digits", "12345678901234567890123456789012345678901"),
    ("forty-one-bytes-of-zero", "0.000000000000000000000000000000000000000"),
    ("sign-counts", "-0.50000000000000000000000000000000000000"),
    ("too-long-before-not-finite", "1e999999999999999999999999999999999999999"),
    ("too-long-before-out-of-range", "12345678901234567890123456789012345678900e1"),
    ("too-long-and-unfinished", "0.50000000000000000000000000000000000000e"),
    ("too-long-and-no-number-after-all", "0.500000000000000000000000000000000000000x"),
];

const REFUSED: &[(&str, &str, &str)] = &[
    // [DIG-012]
    ("outermost-array", "not_an_object", " []"),
    ("outermost-string", "not_an_object", "\"a\""),
    ("outermost-number", "not_an_object", "1"),
    ("outermost-minus", "not_an_object", "-"),
    ("outermost-true", "not_an_object", " true"),
    ("outermost-null", "not_an_object", "null"),
    ("outermost-value-that-is-none", "not_an_object", "tx"),
    ("outermost-number-that-is-not-finite", "not_an_object", "1e400"),
    ("outermost-array-with-more-faults", "not_an_object", "[1e400,}"),
    // [DIG-013]
    ("byte-order-mark", "byte_order_mark", "\u{feff}{}"),
    ("byte-order-mark-alone", "byte_order_mark", "\u{feff}"),
    ("byte-order-mark-before-an-array", "byte_order_mark", "\u{feff}[]"),
    // [DIG-015]
    ("high-surrogate-alone", "lone_surrogate", r#"{"a":"x\ud83d"}"#),
    ("low-surrogate-alone", "lone_surrogate", r#"{"a":"x\ude02"}"#),
    ("two-high-surrogates", "lone_surrogate", r#"{"a":"\ud83d\ud83d"}"#),
    ("surrogates-in-the-wrong-order", "lone_surrogate", r#"{"a":"\ude02\ud83d"}"#),
    ("high-surrogate-before-a-letter", "lone_surrogate", r#"{"a":"\ud83dx"}"#),
    ("high-surrogate-before-another-escape", "lone_surrogate", r#"{"a":"\ud83d\n"}"#),
    ("high-surrogate-before-an-escaped-letter", "lone_surrogate", r#"{"a":"\ud83d\u0041"}"#),
    ("high-surrogate-before-half-an-escape", "lone_surrogate", r#"{"a":"\ud83d\u12"}"#),
    ("high-surrogate-before-the-end", "lone_surrogate", r#"{"a":"\ud83d"#),
    ("pair-and-a-low-surrogate", "lone_surrogate", r#"{"a":"\ud83d\ude02\ude02"}"#),
    ("lone-surrogate-in-a-name", "lone_surrogate", r#"{"x\udfff":1}"#),
    ("lone-surrogate-before-a-bad-escape", "lone_surrogate", r#"{"a":"\ud800\x"}"#),
    // [DIG-016]
    ("second-object", "trailing_data", "{} {}"),
    ("bracket-too-many", "trailing_data", "{}}"),
    ("comma-at-the-end", "trailing_data", "{},"),
    ("zero-byte-at-the-end", "trailing_data", "{}\0"),
    ("comment-at-the-end", "trailing_data", "{\"a\":1}//"),
    ("byte-order-mark-at-the-end", "trailing_data", "{}\u{feff}"),
    ("no-break-space-at-the-end", "trailing_data", "{} \u{a0}"),
    // [DIG-017]
    ("nothing", "syntax", ""),
    ("white-space-only", "syntax", "  "),
    ("a-word", "syntax", "x"),
    ("byte-order-mark-after-a-space", "syntax", " \u{feff}{}"),
    ("object-not-closed", "syntax", "{"),
    ("comma-alone", "syntax", "{,}"),
    ("comma-before-the-bracket", "syntax", r#"{"a":1,}"#),
    ("comma-missing", "syntax", r#"{"a":1 "b":2}"#),
    ("colon-missing", "syntax", r#"{"a" 1}"#),
    ("value-missing", "syntax", r#"{"a":}"#),
    ("name-alone", "syntax", r#"{"a"}"#),
    ("name-without-quotes", "syntax", "{a:1}"),
    ("name-that-is-a-number", "syntax", "{1:1}"),
    ("single-quotes", "syntax", "{'a':1}"),
    ("array-comma-before-the-bracket", "syntax", r#"{"a":[1,]}"#),
    ("array-comma-missing", "syntax", r#"{"a":[1 2]}"#),
    ("array-closed-as-an-object", "syntax", r#"{"a":[1}"#),
    ("object-closed-as-an-array", "syntax", r#"{"a":1]"#),
    ("plus-sign", "syntax", r#"{"a":+1}"#),
    ("no-digit-before-the-point", "syntax", r#"{"a":.5}"#),
    ("no-digit-after-the-point", "syntax", r#"{"a":1.}"#),
    ("no-digit-in-the-exponent", "syntax", r#"{"a":1e}"#),
    ("no-digit-after-the-exponent-s-sign", "syntax", r#"{"a":1e+}"#),
    ("no-digit-after-minus", "syntax", r#"{"a":-}"#),
    ("leading-zero", "syntax", r#"{"a":01}"#),
    ("leading-zero-after-minus", "syntax", r#"{"a":-01}"#),
    ("hexadecimal-number", "syntax", r#"{"a":0x1}"#),
    ("digits-of-another-script", "syntax", "{\"a\":\u{0661}}"),
    ("number-that-breaks-off", "syntax", r#"{"a":1e"#),
    ("not-a-number", "syntax", r#"{"a":NaN}"#),
    ("infinity", "syntax", r#"{"a":Infinity}"#),
    ("minus-infinity", "syntax", r#"{"a":-Infinity}"#),
    ("literal-in-capitals", "syntax", r#"{"a":True}"#),
    ("literal-that-ends-otherwise", "syntax", r#"{"a":truE}"#),
    ("literal-that-breaks-off", "syntax", r#"{"a":nul"#),
    ("literal-and-more", "syntax", r#"{"a":nulll}"#),
    ("undefined", "syntax", r#"{"a":undefined}"#),
    ("comment", "syntax", r#"{"a":/**/1}"#),
    ("string-not-closed", "syntax", r#"{"a":"b"#),
    ("unknown-escape", "syntax", r#"{"a":"\x"}"#),
    ("escape-in-capitals", "syntax", r#"{"a":"\U0041"}"#),
    ("escape-with-another-digit", "syntax", r#"{"a":"\u00g0"}"#),
    ("escape-of-three-digits", "syntax", r#"{"a":"\ud83"}"#),
    ("escape-that-breaks-off", "syntax", r#"{"a":"\u00"#),
    ("backslash-at-the-end", "syntax", "{\"a\":\"\\"),
    ("line-feed-in-a-string", "syntax", "{\"a\":\"\n\"}"),
    ("zero-byte-in-a-string", "syntax", "{\"a\":\"\0\"}"),
    ("tab-in-a-name", "syntax", "{\"a\t\":1}"),
    ("no-break-space", "syntax", "{\u{a0}}"),
    ("vertical-tab", "syntax", "{\"a\":\u{b}1}"),
    ("form-feed", "syntax", "{\u{c}}"),
    // [DIG-028]
    ("name-twice", "duplicate_name", r#"{"a":1,"b":2,"a":3}"#),
    ("name-twice-once-escaped", "duplicate_name", r#"{"a":1,"\u0061":3}"#),
    ("name-twice-in-two-escapes", "duplicate_name", r#"{"\n":1,"\u000A":3}"#),
    ("name-twice-as-a-surrogate-pair", "duplicate_name", "{\"\u{1f602}\":1,\"\\ud83d\\ude02\":3}"),
    ("empty-name-twice", "duplicate_name", r#"{"":1,"":3}"#),
    ("name-twice-within", "duplicate_name", r#"{"x":{"a":1,"a":2}}"#),
    ("name-twice-in-an-array", "duplicate_name", r#"{"x":[{"a":1},{"a":1,"a":2}]}"#),
    ("name-twice-of-equal-values", "duplicate_name", r#"{"a":1,"a":1}"#),
    ("name-three-times", "duplicate_name", r#"{"a":1,"a":2,"a":3}"#),
    ("prototype-name-twice", "duplicate_name", r#"{"__proto__":1,"__proto__":2}"#),
    // [DIG-027]
    ("reserved-name", "reserved_name", r#"{"n":{"$serde_json::private::Number":"1"}}"#),
    ("reserved-name-escaped", "reserved_name", r#"{"\u0024serde_json::private::RawValue":"1"}"#),
    ("reserved-name-of-nothing-more", "reserved_name", r#"{"$serde_json::private::":1}"#),
    // [DIG-003]: several faults, of which one is to be given.
    ("first-of-two-duplicates-by-the-later-name", "duplicate_name", r#"{"b":1,"a":1,"a":2,"b":3}"#),
    ("duplicate-of-the-object-around-comes-later", "duplicate_name", r#"{"x":1,"a":{"b":1,"b":2},"x":3}"#),
    ("duplicate-before-a-duplicate-within", "duplicate_name", r#"{"a":1,"a":{"b":1,"b":2}}"#),
    ("duplicate-before-a-fault-in-its-value", "duplicate_name", r#"{"a":1,"a":{"b":[{"c":1e400}]}}"#),
    ("duplicate-before-an-end-too-early", "duplicate_name", r#"{"a":1,"a""#),
    ("duplicate-in-an-object-that-is-never-closed", "duplicate_name", r#"{"b":1,"a":1,"b":2,"a":3"#),
    ("duplicate-before-trailing-data", "duplicate_name", r#"{"a":1,"a":2}x"#),
    (
        "reserved-name-before-its-duplicate",
        "reserved_name",
        r#"{"$serde_json::private::a":1,"$serde_json::private::a":2}"#,
    ),
    ("name-that-breaks-off-is-no-duplicate", "syntax", r#"{"a":1,"a"#),
    ("name-with-a-lone-surrogate-is-no-duplicate", "lone_surrogate", r#"{"a\ud800":1,"a\ud800":2}"#),
    ("fault-within-before-a-duplicate-later", "not_finite", r#"{"a":{"b":1e400},"a":1}"#),
    ("not-finite-before-out-of-range-later", "not_finite", r#"{"a":1e400,"b":1e20}"#),
    ("out-of-range-before-not-finite-later", "integer_out_of_range", r#"{"a":1e20,"b":1e400}"#),
    ("number-before-the-bracket-that-is-missing", "number_not_canonical", r#"{"a":[1e-400"#),
    ("reserved-name-before-a-missing-colon", "reserved_name", r#"{"$serde_json::private::a"}"#),
];

const REFUSED_BYTES: &[(&str, &str, &[u8])] = &[
    // [DIG-014]
    ("utf-16", "invalid_utf8", b"\xff\xfe{\0}\0"),
    ("continuation-byte-alone", "invalid_utf8", b"{\"a\":\"\x80\"}"),
    ("sequence-that-breaks-off-at-a-quote", "invalid_utf8", b"{\"a\":\"\xc3\"}"),
    ("sequence-that-breaks-off-at-the-end", "invalid_utf8", b"{\"a\":\"\xf0\x9f\x98"),
    ("overlong-form-of-zero", "invalid_utf8", b"{\"a\":\"\xc0\x80\"}"),
    ("overlong-form-of-a-solidus", "invalid_utf8", b"{\"a\":\"\xe0\x80\xaf\"}"),
    ("overlong-form-of-four-bytes", "invalid_utf8", b"{\"a\":\"\xf0\x80\x80\xaf\"}"),
    ("surrogate-as-bytes", "invalid_utf8", b"{\"a\":\"x\xed\xa0\x80\"}"),
    ("surrogate-pair-as-bytes", "invalid_utf8", b"{\"a\":\"\xed\xa0\xbd\xed\xb8\x82\"}"),
    ("beyond-the-highest-code-point", "invalid_utf8", b"{\"a\":\"\xf4\x90\x80\x80\"}"),
    ("sequence-of-five-bytes", "invalid_utf8", b"{\"a\":\"\xf8\x88\x80\x80\x80\"}"),
    ("latin-1", "invalid_utf8", b"{\"a\":\"caf\xe9\"}"),
    ("invalid-utf-8-in-a-name", "invalid_utf8", b"{\"a\xff\":1}"),
    ("invalid-utf-8-after-the-object", "invalid_utf8", b"{}\xff"),
    ("invalid-utf-8-where-a-value-belongs", "invalid_utf8", b"{\"a\":\xff}"),
    ("invalid-utf-8-at-the-beginning", "invalid_utf8", b"\xff"),
    // [DIG-003]
    ("invalid-utf-8-before-a-fault-later", "invalid_utf8", b"{\"a\":\"\xff\",\"b\":1e400}"),
    ("fault-before-invalid-utf-8-later", "not_finite", b"{\"a\":1e400\xff"),
    ("duplicate-before-invalid-utf-8-in-its-value", "duplicate_name", b"{\"a\":1,\"a\":\"\xff\"}"),
    ("not-an-object-before-invalid-utf-8-later", "not_an_object", b"[\xff"),
    ("lone-surrogate-before-invalid-utf-8", "lone_surrogate", b"{\"a\":\"\\ud800\xff\"}"),
];

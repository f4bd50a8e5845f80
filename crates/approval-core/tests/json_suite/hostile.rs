//! Input that is meant to cost: refused for its reason, without following it to its end.

use approval_core::json::{Document, Fault, Limits};

#[track_caller]
fn refused(text: &[u8], limits: &Limits, fault: Fault, offset: Option<usize>) {
    let error = Document::parse(text, limits).unwrap_err();
    assert_eq!((error.fault(), error.offset()), (fault, offset));
}

// [DIG-004]

#[test]
fn a_hundred_megabytes() {
    refused(&vec![b' '; 100_000_000], &Limits::PLAN, Fault::TooLarge, None);
}

#[test]
fn a_hundred_thousand_brackets() {
    let brackets = "[".repeat(100_000);
    refused(brackets.as_bytes(), &Limits::ARGUMENTS, Fault::NotAnObject, Some(0));
    refused(format!("{{\"a\":{brackets}").as_bytes(), &Limits::ARGUMENTS, Fault::TooDeep, Some(5 + 63));
    let braces = "{\"a\":".repeat(100_000);
    refused(braces.as_bytes(), &Limits::ARGUMENTS, Fault::TooDeep, Some(64 * 5));
}

#[test]
fn a_number_of_ten_megabytes() {
    let limits = Limits::new(20_000_000, 10);
    for digit in ["1", "0."] {
        let number = format!("{{\"a\":{digit}{}}}", "1".repeat(10_000_000));
        refused(number.as_bytes(), &limits, Fault::NumberTooLong, Some(5));
    }
}

#[test]
fn a_value_too_many() {
    let text = format!("{{\"a\":[{}0]}}", "0,".repeat(200_000));
    refused(text.as_bytes(), &Limits::ARGUMENTS, Fault::TooManyNodes, Some(6 + 2 * (200_000 - 2)));
}

#[test]
fn an_object_of_many_members_in_the_worst_order() {
    let names: Vec<_> = (0..100_000_u32).map(|i| format!("\"{:08x}\":0", i.reverse_bits())).collect();
    let text = format!("{{{}}}", names.join(","));
    let document = Document::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap();
    let mut sorted = names;
    sorted.sort();
    assert_eq!(document.as_str(), format!("{{{}}}", sorted.join(",")));
    let twice = format!("{},{}}}", &text[..text.len() - 1], sorted[77_777]);
    refused(twice.as_bytes(), &Limits::ARGUMENTS, Fault::DuplicateName, Some(text.len()));
}

#[test]
fn names_that_differ_at_their_end_only() {
    let long = "x".repeat(20_000);
    let names: Vec<_> = (0..100).rev().map(|i| format!("\"{long}{i:03}\":0")).collect();
    let text = format!("{{{}}}", names.join(","));
    let document = Document::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap();
    let sorted: Vec<_> = names.into_iter().rev().collect();
    assert_eq!(document.as_str(), format!("{{{}}}", sorted.join(",")));
}

#[test]
fn unsorted_members_at_every_depth() {
    let depth = 60;
    let filler = "y".repeat(20_000);
    let text = format!("{}0{}", "{\"b\":".repeat(depth), format!(",\"a\":\"{filler}\"}}").repeat(depth));
    let document = Document::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap();
    assert_eq!(
        document.as_str(),
        format!("{}0{}", format!("{{\"a\":\"{filler}\",\"b\":").repeat(depth), "}".repeat(depth))
    );
}

//! What the core says of a text, in the words that the oracles use too.

use anyhow::{Result, ensure};
use approval_core::json::{Document, Limits};
use hostile::Case;

/// Every reason for which a text may be refused, by what is counted. One of them comes about in two ways.
pub(crate) const KINDS: &[&str] = &[
    ADMITTED,
    "byte_order_mark",
    "duplicate_name",
    "integer_out_of_range",
    "invalid_utf8",
    "lone_surrogate",
    "not_an_object",
    "not_finite",
    "number_not_canonical",
    "number_too_long",
    "reserved_name",
    "syntax",
    "too_deep",
    TOO_LARGE_RECEIVED,
    TOO_LARGE_CANONICAL,
    "too_many_nodes",
    "trailing_data",
];

pub(crate) const ADMITTED: &str = "admitted";
const TOO_LARGE_RECEIVED: &str = "too_large, as received";
const TOO_LARGE_CANONICAL: &str = "too_large, in canonical form";

/// One line of answer, and what it counts as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) line: String,
    pub(crate) kind: &'static str,
}

/// The core's own verdict. An error means that the core contradicts itself.
pub(crate) fn verdict(case: &Case) -> Result<Verdict> {
    let limits = Limits::new(case.max_bytes, case.max_nodes);
    match Document::parse(&case.text, &limits) {
        Ok(document) => {
            admits_itself(&document, &limits)?;
            Ok(Verdict { line: format!("admitted {}", document.digest()), kind: ADMITTED })
        }
        Err(refusal) => {
            let offset = refusal.offset().map_or_else(|| "-".to_owned(), |offset| offset.to_string());
            let kind = match refusal.code() {
                "too_large" if case.text.len() > case.max_bytes => TOO_LARGE_RECEIVED,
                "too_large" => TOO_LARGE_CANONICAL,
                code => code,
            };
            Ok(Verdict { line: format!("refused {} {offset}", refusal.code()), kind })
        }
    }
}

/// The canonical bytes admit to themselves [DIG-034], and so does the value that they hold.
fn admits_itself(document: &Document, limits: &Limits) -> Result<()> {
    ensure!(Document::parse(document.as_bytes(), limits).as_ref() == Ok(document), "its canonical bytes have others");
    let value = document.to_value();
    ensure!(Document::from_value(&value, limits).as_ref() == Ok(document), "its value has other canonical bytes");
    Ok(())
}

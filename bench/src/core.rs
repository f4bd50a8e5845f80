//! Strict parsing, canonical bytes and digest of plans.

use std::hint::black_box;

use approval_core::json::{Document, Limits};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::report::Report;
use crate::timing::medians;
use crate::{HEAP, plan};

/// The most that admission and digest may take, in units of copying and hashing the same bytes.
const MOST_TIME: f64 = 5.0;

/// The most heap that admission may take beyond its input, in units of the input's size.
const MOST_HEAP: f64 = 3.0;

/// Measures everything there is to measure about documents.
pub(crate) fn measure() -> Report {
    let mut report = Report::default();
    report.note(format!("SHA extensions of the processor: {}", sha_extensions()));
    report.note("strict parse + canonical bytes + SHA-256, in units of memcpy + SHA-256 of the same text:");
    time(&mut report, "a plan of 1 KiB", 1 << 10);
    time(&mut report, "a plan of 100 KiB", 100 << 10);
    read(&mut report, "a plan of 100 KiB", 100 << 10);
    report.note("heap beyond the input, at its peak, in units of the input:");
    heap(&mut report, "a document of 5 MiB", 5 << 20);
    crate::cycle::measure(&mut report);
    crate::receipt::measure(&mut report);
    crate::audit::measure(&mut report, 100_000);
    report
}

fn time(report: &mut Report, what: &str, bytes: usize) {
    let text = plan::text(bytes);
    let [baseline, ours] = medians([
        &mut || {
            black_box(Sha256::digest(black_box(black_box(text.as_bytes()).to_vec())));
        },
        &mut || {
            let document = Document::parse(black_box(text.as_bytes()), &Limits::ARGUMENTS);
            black_box(document.map(|document| document.digest()).ok());
        },
    ]);
    let canonical =
        Document::parse(text.as_bytes(), &Limits::ARGUMENTS).map_or(0, |document| document.as_bytes().len());
    report.target(
        format!("{what} ({} bytes, {canonical} canonical), {:.2} µs", text.len(), ours / 1e3),
        if canonical == 0 { f64::NAN } else { ours / baseline },
        MOST_TIME,
    );
}

/// Reading back what was admitted has no target; it's to stay as fast as the parser that everyone uses.
fn read(report: &mut Report, what: &str, bytes: usize) {
    let Ok(document) = Document::parse(plan::text(bytes).as_bytes(), &Limits::ARGUMENTS) else {
        return report.note("the plan isn't admitted");
    };
    let [serde_json, ours] = medians([
        &mut || {
            black_box(serde_json::from_slice::<Value>(black_box(document.as_bytes())).ok());
        },
        &mut || {
            black_box(black_box(&document).read::<Value>().ok());
        },
    ]);
    report.note(format!("reading {what} as a tree, in units of serde_json's own reading: {:.2}", ours / serde_json));
}

fn heap(report: &mut Report, what: &str, bytes: usize) {
    let text = plan::text(bytes);
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let document = Document::parse(text.as_bytes(), &Limits::new(2 * bytes, 10_000_000));
    let peak = HEAP.peak_usage().saturating_sub(before);
    let figure = if document.is_ok() { peak as f64 / text.len() as f64 } else { f64::NAN };
    report.target(format!("{what} ({} bytes)", text.len()), figure, MOST_HEAP);
}

/// Whether SHA-256 is done by the processor: without, the baseline is slow and ratios look good.
fn sha_extensions() -> &'static str {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let found = Some(std::arch::is_x86_feature_detected!("sha"));
    #[cfg(target_arch = "aarch64")]
    let found = Some(std::arch::is_aarch64_feature_detected!("sha2"));
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    let found: Option<bool> = None;
    match found {
        Some(true) => "present",
        Some(false) => "absent",
        None => "unknown",
    }
}

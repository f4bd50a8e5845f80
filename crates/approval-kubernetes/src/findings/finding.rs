use approval_core::record::{self, Severity};

use super::hazard::Hazard;
use super::pod_security::Control;
use crate::pointer::Pointer;
use crate::quoted::quoted_up_to;

/// The longest pointer that a text repeats, in characters.
const LONGEST_POINTER: usize = 300;

/// One hazard at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of hazard it is.
    pub hazard: &'static Hazard,
    /// How bad it is here.
    pub severity: Severity,
    /// Where in the object, as a JSON Pointer; empty for the object as a whole.
    pub pointer: String,
    /// What is there, in words of ours.
    pub text: String,
    /// The control of the Pod Security Standards that it breaks, if it breaks one.
    pub control: Option<Control>,
    /// The image of the container that it is about, if it is about one.
    pub image: Option<String>,
    /// Whether it isn't so already.
    pub is_new: bool,
}

impl Finding {
    pub(super) fn of(hazard: &'static Hazard, pointer: String, text: impl Into<String>) -> Self {
        let (text, severity) = (text.into(), hazard.severity);
        Self { hazard, severity, pointer, text, control: None, image: None, is_new: true }
    }

    /// For a review: with the control, the place, and why it matters.
    #[must_use]
    pub fn to_record(&self) -> record::Finding {
        let Self { hazard, severity, pointer, text, control, is_new, .. } = self;
        let control = control.map(|control| format!(" [{control}]")).unwrap_or_default();
        let place = match pointer.as_str() {
            "" => String::new(),
            pointer => format!(", at {}", quoted_up_to(pointer, LONGEST_POINTER)),
        };
        let already = if *is_new { "" } else { " (it is so already)" };
        let text = format!("{text}{already}; {}{control}{place}", hazard.about);
        record::Finding { code: hazard.id.to_owned(), severity: *severity, text }
    }
}

/// Gathers findings.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one; its severity and more can be set on what is returned.
    pub(super) fn add(&mut self, hazard: &'static Hazard, at: &Pointer, text: impl Into<String>) {
        self.push(Finding::of(hazard, at.to_string(), text));
    }

    /// Adds one that is worse or milder than most of its kind.
    pub(super) fn add_as(
        &mut self,
        severity: Severity,
        hazard: &'static Hazard,
        at: &Pointer,
        text: impl Into<String>,
    ) {
        self.push(Finding { severity, ..Finding::of(hazard, at.to_string(), text) });
    }

    pub(super) fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    pub(super) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Marks those that are among others as not new.
    pub(super) fn mark_those_in(&mut self, others: &Self) {
        for finding in &mut self.0 {
            let is_same = |other: &Finding| {
                (other.hazard.id, &other.text, &other.pointer) == (finding.hazard.id, &finding.text, &finding.pointer)
            };
            finding.is_new = !others.0.iter().any(is_same);
        }
    }

    pub(super) fn into_vec(self) -> Vec<Finding> {
        self.0
    }
}

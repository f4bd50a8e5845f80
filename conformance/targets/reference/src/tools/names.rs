//! What a note can be called: it becomes part of a URL.

/// The longest name, in bytes.
const LONGEST: usize = 128;

/// Whether a note can be called so.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=LONGEST).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(is_plain)
}

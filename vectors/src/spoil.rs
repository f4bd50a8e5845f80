//! Wrong vectors, so that a checker can show that it finds them.

use std::path::Path;

use anyhow::Result;

pub(crate) fn spoil(_directory: &Path, _copies: &Path, _seed: u64) -> Result<()> {
    Ok(())
}

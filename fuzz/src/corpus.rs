//! The seeds that all targets share.

use std::fs;
use std::path::Path;

/// The seeds of this name: the files of the folder `corpus/NAME`, or the lines of `corpus/NAME.txt`. In their order.
///
/// # Panics
/// When there are none.
#[must_use]
#[expect(clippy::panic, reason = "a test has nothing to work on")]
pub fn corpus(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let seeds = if path.is_dir() { files(&path) } else { lines(&path.with_extension("txt")) };
    if seeds.is_empty() { panic!("no seeds at `{}`", path.display()) } else { seeds }
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}

fn lines(file: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(file).unwrap_or_default();
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

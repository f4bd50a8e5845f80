use std::fs;
use std::path::{Path, PathBuf};

use approval_kubernetes::findings::pod_security::Level;
use approval_kubernetes::manifest;
use serde_json::Value;

/// A pod of which the server's verdict is known.
pub struct Fixture {
    /// Its file.
    pub path: PathBuf,
    /// The level at which it is judged.
    pub level: Level,
    /// The version of the standards, 1 before it.
    pub minor: u32,
    /// Whether it is admitted.
    pub passes: bool,
    /// The id of the control that it is about, in lower case; of those that pass it may be `base`.
    pub control: String,
    /// The pod.
    pub pod: Value,
}

/// All fixtures, each read by our own reader of manifests.
#[must_use]
pub fn fixtures() -> Vec<Fixture> {
    let root = std::env::var_os("POD_SECURITY_FIXTURES").expect("POD_SECURITY_FIXTURES names the fixtures' directory");
    let mut fixtures = Vec::new();
    for (directory, level) in [("baseline", Level::Baseline), ("restricted", Level::Restricted)] {
        for version in entries(&Path::new(&root).join(directory)) {
            let minor = name(&version).strip_prefix("v1.").unwrap().parse().unwrap();
            for verdict in entries(&version) {
                let passes = match name(&verdict) {
                    "pass" => true,
                    "fail" => false,
                    other => panic!("`{other}` is neither"),
                };
                for path in entries(&verdict) {
                    let stem = path.file_stem().unwrap().to_str().unwrap();
                    let control = stem.trim_end_matches(|digit: char| digit.is_ascii_digit()).to_owned();
                    let mut manifests = manifest::read(&fs::read_to_string(&path).unwrap()).unwrap();
                    assert_eq!(manifests.len(), 1, "{}", path.display());
                    let pod = Value::Object(manifests.remove(0).into_object());
                    fixtures.push(Fixture { path, level, minor, passes, control, pod });
                }
            }
        }
    }
    fixtures
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

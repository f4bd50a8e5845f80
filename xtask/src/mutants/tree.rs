//! A copy of the repository to mutate. It stays where it is, so that what has been built of it serves the next run too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::answer;

/// Makes the directory hold what git would commit of the repository, and nothing else. A file that is the same isn't touched:
/// Cargo judges by dates.
pub(super) fn copy(root: &Path, directory: &Path) -> Result<()> {
    let wanted = files(root)?;
    if directory.exists() {
        for file in present(directory)?.difference(&wanted) {
            let file = directory.join(file);
            fs::remove_file(&file).with_context(|| format!("removing `{}`", file.display()))?;
        }
    }
    for file in wanted {
        let (from, to) = (root.join(&file), directory.join(&file));
        let contents = fs::read(&from).with_context(|| format!("reading `{}`", from.display()))?;
        if fs::read(&to).is_ok_and(|present| present == contents) {
            continue;
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).with_context(|| format!("creating `{}`", parent.display()))?;
        }
        fs::write(&to, contents).with_context(|| format!("writing `{}`", to.display()))?;
    }
    Ok(())
}

/// The files that are in the working tree and not ignored.
fn files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = answer(&mut git)?;
    // One that was removed and not yet committed is listed.
    Ok(listed.split_terminator('\0').map(PathBuf::from).filter(|file| root.join(file).is_file()).collect())
}

/// The files below a directory, by their paths from it.
fn present(directory: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("reading `{}`", next.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                directories.push(entry.path());
            } else {
                found.insert(entry.path().strip_prefix(directory)?.to_owned());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_holds_what_is_there_and_what_is_the_same_stays() {
        let directory = tempfile::tempdir().unwrap();
        let (root, copied) = (directory.path().join("root"), directory.path().join("copy"));
        fs::create_dir_all(root.join("a")).unwrap();
        answer(Command::new("git").args(["init", "--quiet"]).arg(&root)).unwrap();
        for (file, text) in
            [("a/changed", "1"), ("same", "2"), ("gone", "3"), (".gitignore", "ignored"), ("ignored", "4")]
        {
            fs::write(root.join(file), text).unwrap();
        }
        copy(&root, &copied).unwrap();
        let date = |file: &str| fs::metadata(copied.join(file)).unwrap().modified().unwrap();
        let before = date("same");
        fs::write(root.join("a/changed"), "5").unwrap();
        fs::remove_file(root.join("gone")).unwrap();
        copy(&root, &copied).unwrap();

        let files = ["a/changed", "same", ".gitignore"].map(PathBuf::from);
        assert_eq!(present(&copied).unwrap(), BTreeSet::from(files));
        assert_eq!(fs::read_to_string(copied.join("a/changed")).unwrap(), "5");
        assert_eq!(date("same"), before);
    }
}

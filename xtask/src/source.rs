//! Reading the repository's own source.

pub(crate) mod comments;
pub(crate) mod methods;
pub(crate) mod public;
pub(crate) mod tests_only;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use proc_macro2::{TokenStream, TokenTree};

/// One file of the repository.
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl SourceFile {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
        Ok(Self { path: path.to_owned(), text })
    }

    pub(crate) fn parse(&self) -> Result<syn::File> {
        syn::parse_file(&self.text).with_context(|| format!("parsing `{}`", self.path.display()))
    }
}

/// Every file below a directory whose name ends in one of the extensions, in the order of their paths; none if the
/// directory isn't there. Build directories are left out.
pub(crate) fn files(directory: &Path, extensions: &[&str]) -> Result<Vec<SourceFile>> {
    let mut paths = Vec::new();
    collect(directory, extensions, &mut paths)?;
    paths.sort();
    paths.iter().map(|path| SourceFile::read(path)).collect()
}

fn collect(directory: &Path, extensions: &[&str], paths: &mut Vec<PathBuf>) -> Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory).with_context(|| format!("reading `{}`", directory.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "target" && name != "node_modules" {
                collect(&path, extensions, paths)?;
            }
        } else if path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted)) {
            paths.push(path);
        }
    }
    Ok(())
}

/// Every token, those inside groups included, in order.
pub(crate) fn flat(tokens: TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();
    for token in tokens {
        if let TokenTree::Group(group) = &token {
            all.extend(flat(group.stream()));
        } else {
            all.push(token);
        }
    }
    all
}

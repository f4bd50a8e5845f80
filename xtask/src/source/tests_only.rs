//! Which parts of a crate's `src` are compiled for tests only.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::Result;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, Item, Lit, Meta};

use super::SourceFile;

/// The test-only parts of a crate: whole files, and line ranges within others.
pub(crate) struct TestsOnly {
    directories_and_files: BTreeSet<PathBuf>,
    ranges: Vec<(PathBuf, RangeInclusive<usize>)>,
}

impl TestsOnly {
    /// Reads all files of a crate's `src`. A module declared `#[cfg(test)] mod name;` is a file elsewhere.
    pub(crate) fn find(files: &[SourceFile]) -> Result<Self> {
        let mut found = Self { directories_and_files: BTreeSet::new(), ranges: Vec::new() };
        for file in files {
            let mut visitor = Visitor { directory: module_directory(&file.path), path: &file.path, found: &mut found };
            visitor.visit_file(&file.parse()?);
        }
        Ok(found)
    }

    pub(crate) fn holds(&self, path: &Path, line: usize) -> bool {
        self.holds_file(path) || self.ranges.iter().any(|(file, range)| file == path && range.contains(&line))
    }

    pub(crate) fn holds_file(&self, path: &Path) -> bool {
        path.ancestors().any(|part| self.directories_and_files.contains(part))
    }
}

/// Where the modules that a file declares lie: beside `lib.rs`, `main.rs` and `mod.rs`, else in a directory of its name.
fn module_directory(path: &Path) -> PathBuf {
    let parent = path.parent().unwrap_or(Path::new(""));
    match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "main" | "mod") | None => parent.to_owned(),
        Some(stem) => parent.join(stem),
    }
}

struct Visitor<'a> {
    path: &'a Path,
    directory: PathBuf,
    found: &'a mut TestsOnly,
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = attributes(item);
        if attributes.iter().any(is_test_only) {
            if let Item::Mod(module) = item
                && module.content.is_none()
            {
                self.declare(&module.ident.to_string(), attributes);
            }
            let span = item.span();
            self.found.ranges.push((self.path.to_owned(), span.start().line..=span.end().line));
            return;
        }
        if let Item::Mod(module) = item {
            let outer = self.directory.clone();
            self.directory.push(module.ident.to_string());
            visit::visit_item(self, item);
            self.directory = outer;
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if function.attrs.iter().any(is_test_only) {
            let span = function.span();
            self.found.ranges.push((self.path.to_owned(), span.start().line..=span.end().line));
        }
    }
}

impl Visitor<'_> {
    fn declare(&mut self, name: &str, attributes: &[Attribute]) {
        let named = attributes.iter().filter(|attribute| attribute.path().is_ident("path")).find_map(|attribute| {
            match &attribute.meta {
                Meta::NameValue(pair) => match &pair.value {
                    Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) => Some(path.value()),
                    _ => None,
                },
                _ => None,
            }
        });
        let paths = match named {
            Some(named) => vec![self.path.parent().unwrap_or(Path::new("")).join(named)],
            None => vec![self.directory.join(format!("{name}.rs")), self.directory.join(name)],
        };
        self.found.directories_and_files.extend(paths);
    }
}

/// `#[cfg(test)]` and what implies it, and the attributes that make a function a test.
pub(super) fn is_test_only(attribute: &Attribute) -> bool {
    if attribute.path().is_ident("cfg") {
        attribute.parse_args::<Meta>().is_ok_and(|meta| implies_test(&meta))
    } else {
        attribute.path().segments.last().is_some_and(|segment| segment.ident == "test")
    }
}

fn implies_test(meta: &Meta) -> bool {
    let Meta::List(list) = meta else {
        return meta.path().is_ident("test");
    };
    let parts = list.parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated);
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if list.path.is_ident("all") {
        parts.iter().any(implies_test)
    } else {
        list.path.is_ident("any") && !parts.is_empty() && parts.iter().all(implies_test)
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(path: &str, text: &str) -> TestsOnly {
        TestsOnly::find(&[SourceFile { path: path.into(), text: text.into() }]).unwrap()
    }

    #[test]
    fn a_test_module_is_a_range_of_lines() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        let found = find("src/lib.rs", text);
        let held: Vec<_> = (1..=6).filter(|line| found.holds(Path::new("src/lib.rs"), *line)).collect();
        assert_eq!(held, [2, 3, 4, 5]);
        assert!(!found.holds(Path::new("src/other.rs"), 3));
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_is_that_file_and_what_lies_below() {
        let found = find("src/gate.rs", "#[cfg(test)]\nmod tests;\nmod steps;\n");
        assert!(found.holds(Path::new("src/gate/tests.rs"), 1));
        assert!(found.holds(Path::new("src/gate/tests/order.rs"), 1));
        assert!(!found.holds(Path::new("src/gate/steps.rs"), 1));
        let found = find("src/lib.rs", "mod inner { #[cfg(all(test, unix))] mod tests; }");
        assert!(found.holds_file(Path::new("src/inner/tests.rs")));
        let found = find("src/lib.rs", "#[cfg(test)] #[path = \"check.rs\"] mod tests;");
        assert!(found.holds_file(Path::new("src/check.rs")));
    }

    #[test]
    fn what_production_may_compile_is_not_test_only() {
        for text in
            ["#[cfg(not(test))]\nfn a() {}", "#[cfg(any(test, feature = \"x\"))]\nfn a() {}", "#[cfg(unix)]\nfn a() {}"]
        {
            assert!(!find("src/lib.rs", text).holds(Path::new("src/lib.rs"), 2), "{text}");
        }
        assert!(find("src/lib.rs", "#[tokio::test]\nasync fn a() {}").holds(Path::new("src/lib.rs"), 2));
        assert!(find("src/lib.rs", "impl A {\n#[cfg(test)]\nfn a() {}\n}").holds(Path::new("src/lib.rs"), 3));
    }
}

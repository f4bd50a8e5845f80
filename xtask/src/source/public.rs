//! Which types of other crates a crate's public interface names. rustdoc's JSON would know, but needs a nightly toolchain;
//! this reads the source instead: every `pub` item's signature, imports and aliases followed, whether or not the module
//! around it can be reached (so it errs on the strict side).

mod macros;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Field, Fields, ImplItem, Item, ItemEnum, ItemImpl, ItemMacro, ItemMod, ItemStruct, ItemTrait, ItemType, ItemUse,
    Path, Signature, Type, UseTree, Visibility,
};

use super::SourceFile;
use super::tests_only::TestsOnly;

/// What was found: mentions, and places that couldn't be judged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) mentions: Vec<String>,
    pub(crate) unread: Vec<String>,
}

/// Looks for types of the named crates in the public interface of a crate, given all files of its `src`.
pub(crate) fn mentions(crates: &[&str], files: &[SourceFile]) -> Result<Findings> {
    let tests = TestsOnly::find(files)?;
    let mut parsed = Vec::new();
    for file in files.iter().filter(|file| !tests.holds_file(&file.path)) {
        parsed.push((file, file.parse()?));
    }
    let mut public = BTreeSet::new();
    for (_, file) in &parsed {
        PublicTypes(&mut public).visit_file(file);
    }
    let mut findings = Findings::default();
    // An alias without `pub` may stand in a public signature, so aliases are followed across files until no more is found.
    let mut aliases = BTreeSet::new();
    loop {
        let known = aliases.len();
        for (_, file) in &parsed {
            let names = Names::of(crates, file, &aliases);
            Aliases { names: &names, found: &mut aliases }.visit_file(file);
        }
        if aliases.len() == known {
            break;
        }
    }
    for (source, file) in &parsed {
        let names = Names::of(crates, file, &aliases);
        let mut interface = Interface { names: &names, public: &public, file: source, findings: &mut findings };
        interface.visit_file(file);
    }
    Ok(findings)
}

/// The names that, in one file, mean something of the crates looked for.
struct Names {
    names: BTreeMap<String, String>,
}

impl Names {
    fn of(crates: &[&str], file: &syn::File, aliases: &BTreeSet<String>) -> Self {
        // A module of our own by that name hides the crate.
        let is_module =
            |name: &&str| file.items.iter().any(|item| matches!(item, Item::Mod(module) if module.ident == name));
        let crates: Vec<&str> = crates.iter().copied().filter(|name| !is_module(name)).collect();
        let mut names: BTreeMap<_, _> = crates.iter().map(|name| (name.to_string(), name.to_string())).collect();
        names.extend(aliases.iter().map(|alias| (alias.clone(), format!("the alias `{alias}`"))));
        let mut imports = Imports { crates: &crates, imported: Vec::new() };
        imports.visit_file(file);
        names.extend(imports.imported);
        Self { names }
    }

    /// What a path means, if it leads into one of the crates.
    fn meaning(&self, path: &Path) -> Option<String> {
        let first = path.segments.first()?.ident.to_string();
        let last = path.segments.last()?.ident.to_string();
        let ours = ["crate", "self", "super"].contains(&first.as_str());
        let meaning = if ours { None } else { self.names.get(&first) };
        let meaning = meaning.or_else(|| self.names.get(&last).filter(|meaning| meaning.starts_with("the alias")))?;
        Some(if path.segments.len() > 1 { spelled(path) } else { meaning.clone() })
    }
}

fn spelled(path: &Path) -> String {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>().join("::")
}

/// The imports of a file from the crates: local name and what it means. A glob brings names that can't be told.
struct Imports<'a> {
    crates: &'a [&'a str],
    imported: Vec<(String, String)>,
}

impl<'ast> Visit<'ast> for Imports<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        for (local, meaning) in leaves(item) {
            if self.crates.iter().any(|name| meaning.split("::").next() == Some(name)) {
                self.imported.push((local, meaning));
            }
        }
    }
}

/// Each name that a `use` brings in, with its full path; a glob's local name is `*`.
fn leaves(item: &ItemUse) -> Vec<(String, String)> {
    fn walk(tree: &UseTree, prefix: &str, leaves: &mut Vec<(String, String)>) {
        let join = |name: String| {
            if prefix.is_empty() { name } else { format!("{prefix}::{name}") }
        };
        match tree {
            UseTree::Path(path) => walk(&path.tree, &join(path.ident.to_string()), leaves),
            UseTree::Name(name) if name.ident == "self" => {
                let local = prefix.rsplit("::").next().unwrap_or_default();
                leaves.push((local.to_owned(), prefix.to_owned()));
            }
            UseTree::Name(name) => leaves.push((name.ident.to_string(), join(name.ident.to_string()))),
            UseTree::Rename(rename) => leaves.push((rename.rename.to_string(), join(rename.ident.to_string()))),
            UseTree::Glob(_) => leaves.push(("*".to_owned(), join("*".to_owned()))),
            UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, prefix, leaves)),
        }
    }
    let mut found = Vec::new();
    walk(&item.tree, "", &mut found);
    found
}

struct Aliases<'a> {
    names: &'a Names,
    found: &'a mut BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Aliases<'_> {
    fn visit_item_type(&mut self, item: &'ast ItemType) {
        if let Some(_mention) = mention(self.names, |paths| paths.visit_type(&item.ty)) {
            self.found.insert(item.ident.to_string());
        }
    }
}

struct PublicTypes<'a>(&'a mut BTreeSet<String>);

impl<'ast> Visit<'ast> for PublicTypes<'_> {
    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        self.note(&item.vis, &item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        self.note(&item.vis, &item.ident);
    }
}

impl PublicTypes<'_> {
    fn note(&mut self, visibility: &Visibility, name: &syn::Ident) {
        if is_public(visibility) {
            self.0.insert(name.to_string());
        }
    }
}

/// Collects what the visited syntax mentions.
struct Paths<'a> {
    names: &'a Names,
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_path(&mut self, path: &'ast Path) {
        self.found.extend(self.names.meaning(path));
        visit::visit_path(self, path);
    }
}

fn mention(names: &Names, visit: impl FnOnce(&mut Paths<'_>)) -> Option<String> {
    let mut paths = Paths { names, found: Vec::new() };
    visit(&mut paths);
    (!paths.found.is_empty()).then(|| paths.found.join(", "))
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

struct Interface<'a> {
    names: &'a Names,
    public: &'a BTreeSet<String>,
    file: &'a SourceFile,
    findings: &'a mut Findings,
}

impl Interface<'_> {
    fn look(&mut self, what: &str, visit: impl FnOnce(&mut Paths<'_>)) {
        if let Some(mentions) = mention(self.names, visit) {
            self.findings.mentions.push(format!("{}: {what} names {mentions}", self.file.path.display()));
        }
    }

    fn look_at_signature(&mut self, signature: &Signature) {
        self.look(&format!("fn `{}`", signature.ident), |paths| paths.visit_signature(signature));
    }

    fn look_at_fields<'f>(&mut self, owner: &str, fields: impl IntoIterator<Item = &'f Field>) {
        for field in fields {
            let name = field.ident.as_ref().map_or_else(|| "of no name".to_owned(), |name| format!("`{name}`"));
            self.look(&format!("field {name} of `{owner}`"), |paths| paths.visit_type(&field.ty));
        }
    }
}

impl<'ast> Visit<'ast> for Interface<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if is_public(&item.vis) {
            self.look_at_signature(&item.sig);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        if is_public(&item.vis) {
            let owner = item.ident.to_string();
            self.look(&format!("struct `{owner}`"), |paths| paths.visit_generics(&item.generics));
            if let Fields::Named(_) | Fields::Unnamed(_) = &item.fields {
                self.look_at_fields(&owner, item.fields.iter().filter(|field| is_public(&field.vis)));
            }
        }
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        if is_public(&item.vis) {
            let owner = item.ident.to_string();
            self.look(&format!("enum `{owner}`"), |paths| paths.visit_generics(&item.generics));
            self.look_at_fields(&owner, item.variants.iter().flat_map(|variant| &variant.fields));
        }
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        if is_public(&item.vis) {
            let name = item.ident.to_string();
            self.look(&format!("trait `{name}`"), |paths| {
                paths.visit_generics(&item.generics);
                item.supertraits.iter().for_each(|bound| paths.visit_type_param_bound(bound));
            });
            for member in &item.items {
                match member {
                    syn::TraitItem::Fn(function) => self.look_at_signature(&function.sig),
                    other => self.look(&format!("trait `{name}`"), |paths| paths.visit_trait_item(other)),
                }
            }
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let Some((path, _)) = &item.trait_ else {
            for member in &item.items {
                match member {
                    ImplItem::Fn(function) if is_public(&function.vis) => self.look_at_signature(&function.sig),
                    ImplItem::Const(constant) if is_public(&constant.vis) => {
                        self.look(&format!("const `{}`", constant.ident), |paths| paths.visit_type(&constant.ty));
                    }
                    _ => {}
                }
            }
            return;
        };
        // The methods are the trait's own; what an implementation adds are its parameters and associated types.
        let is_ours = matches!(&*item.self_ty, Type::Path(own) if own.path.segments.last()
            .is_some_and(|segment| self.public.contains(&segment.ident.to_string())));
        let what = format!("an implementation of `{}`", spelled(path));
        if is_ours {
            self.look(&what, |paths| {
                paths.visit_path(path);
                for member in &item.items {
                    if let ImplItem::Type(associated) = member {
                        paths.visit_type(&associated.ty);
                    }
                }
            });
        } else {
            self.look(&what, |paths| paths.visit_type(&item.self_ty));
        }
    }

    fn visit_item_type(&mut self, item: &'ast ItemType) {
        if is_public(&item.vis) {
            self.look(&format!("type `{}`", item.ident), |paths| paths.visit_type(&item.ty));
        }
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if is_public(&item.vis) {
            self.look(&format!("const `{}`", item.ident), |paths| paths.visit_type(&item.ty));
        }
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        if is_public(&item.vis) {
            self.look(&format!("static `{}`", item.ident), |paths| paths.visit_type(&item.ty));
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        for (local, meaning) in leaves(item) {
            let first = meaning.split("::").next().unwrap_or_default();
            let ours = self.names.names.get(first).is_some_and(|found| found == first);
            if ours && is_public(&item.vis) {
                self.findings.mentions.push(format!("{}: `pub use {meaning}`", self.file.path.display()));
            } else if ours && local == "*" {
                self.findings.unread.push(format!("{}: `use {meaning}` brings names unseen", self.file.path.display()));
            }
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let is_test = item.attrs.iter().any(super::tests_only::is_test_only);
        if !is_test {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        for body in macros::bodies(item) {
            match syn::parse2::<syn::File>(body.clone()) {
                Ok(file) => self.visit_file(&file),
                // It writes no items, or in a way that can't be read here. Only what could matter is reported.
                Err(_) if could_matter(&body, self.names) => {
                    let name = item.ident.as_ref().map_or_else(|| spelled(&item.mac.path), ToString::to_string);
                    self.findings.unread.push(format!("{}: macro `{name}` can't be read", self.file.path.display()));
                }
                Err(_) => {}
            }
        }
    }
}

fn could_matter(tokens: &TokenStream, names: &Names) -> bool {
    let words: BTreeSet<_> = super::flat(tokens.clone())
        .into_iter()
        .filter_map(|token| if let TokenTree::Ident(word) = token { Some(word.to_string()) } else { None })
        .collect();
    words.contains("pub") && names.names.keys().any(|name| words.contains(name))
}

#[cfg(test)]
mod tests;

//! The methods of a trait, and those that an implementation writes out.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ImplItem, ItemImpl, ItemMacro, ItemTrait, TraitItem, Type};

use super::SourceFile;

/// The names of all methods of the trait, those included that a macro of the same crate puts into its body. Where the
/// trait is declared more than once, for different configurations, the methods of all.
pub(crate) fn of_trait(name: &str, files: &[SourceFile]) -> Result<BTreeSet<String>> {
    let mut finder = TraitFinder { name, methods: BTreeSet::new(), macros: BTreeMap::new(), used: BTreeSet::new() };
    for file in files {
        finder.visit_file(&file.parse()?);
    }
    let TraitFinder { mut methods, macros, used, .. } = finder;
    for name in used {
        methods.extend(macros.get(&name).into_iter().flatten().cloned());
    }
    Ok(methods)
}

/// The names of the methods in `impl TRAIT for TYPE` blocks; nothing if there is no such block.
pub(crate) fn of_impl(trait_name: &str, type_name: &str, files: &[SourceFile]) -> Result<Option<BTreeSet<String>>> {
    let mut finder = ImplFinder { trait_name, type_name, methods: None };
    for file in files {
        finder.visit_file(&file.parse()?);
    }
    Ok(finder.methods)
}

struct TraitFinder<'a> {
    name: &'a str,
    methods: BTreeSet<String>,
    /// The functions that each `macro_rules!` of the crate writes.
    macros: BTreeMap<String, BTreeSet<String>>,
    /// The macros that stand in the trait's body.
    used: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for TraitFinder<'_> {
    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        if item.ident == self.name {
            for member in &item.items {
                match member {
                    TraitItem::Fn(function) => {
                        self.methods.insert(function.sig.ident.to_string());
                    }
                    TraitItem::Macro(call) => {
                        self.used.extend(call.mac.path.segments.last().map(|segment| segment.ident.to_string()));
                    }
                    _ => {}
                }
            }
        }
        visit::visit_item_trait(self, item);
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        if let Some(name) = &item.ident {
            // A rule is `matcher => { body }`; what it writes at its own top level are the items.
            let written = item.mac.tokens.clone().into_iter().flat_map(|token| match token {
                TokenTree::Group(body) => functions(body.stream()),
                _ => BTreeSet::new(),
            });
            self.macros.entry(name.to_string()).or_default().extend(written);
        }
    }
}

struct ImplFinder<'a> {
    trait_name: &'a str,
    type_name: &'a str,
    methods: Option<BTreeSet<String>>,
}

impl<'ast> Visit<'ast> for ImplFinder<'_> {
    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let is_trait = item.trait_.as_ref().is_some_and(|(path, _)| ends_in(path, self.trait_name));
        let is_type = matches!(&*item.self_ty, Type::Path(path) if ends_in(&path.path, self.type_name));
        if is_trait && is_type {
            let methods = self.methods.get_or_insert_default();
            for member in &item.items {
                match member {
                    ImplItem::Fn(function) => {
                        methods.insert(function.sig.ident.to_string());
                    }
                    ImplItem::Macro(call) => methods.extend(functions(call.mac.tokens.clone())),
                    _ => {}
                }
            }
        }
        visit::visit_item_impl(self, item);
    }
}

fn ends_in(path: &syn::Path, name: &str) -> bool {
    path.segments.last().is_some_and(|segment| segment.ident == name)
}

/// The names after `fn` at the top level of some tokens: those of functions, not of what lies in their bodies.
fn functions(tokens: TokenStream) -> BTreeSet<String> {
    let mut after_fn = false;
    let mut names = BTreeSet::new();
    for token in tokens {
        match token {
            TokenTree::Ident(name) if after_fn => {
                names.insert(name.to_string());
                after_fn = false;
            }
            TokenTree::Ident(word) => after_fn = word == "fn",
            _ => after_fn = false,
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Vec<SourceFile> {
        vec![SourceFile { path: "src/lib.rs".into(), text: text.into() }]
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    const TRAIT: &str = r#"
        macro_rules! handler_methods {
            () => {
                /// fn in_a_comment() {}
                fn ping(&self) -> impl Future<Output = ()> { async { fn inner() {} } }
                fn get_info(&self) -> Info { Info::default() }
            };
        }
        macro_rules! unrelated { () => { fn elsewhere() {} }; }
        #[cfg(not(feature = "local"))]
        pub trait Handler: Send { handler_methods!(); }
        #[cfg(feature = "local")]
        pub trait Handler { handler_methods!(); fn local(&self); }
        pub trait Other { fn other(&self); }
    "#;

    #[test]
    fn a_traits_methods_are_found_in_its_body_and_in_its_macros() {
        assert_eq!(of_trait("Handler", &files(TRAIT)).unwrap(), names(&["get_info", "local", "ping"]));
        assert_eq!(of_trait("Absent", &files(TRAIT)).unwrap(), names(&[]));
    }

    #[test]
    fn an_implementations_methods_are_those_written_out() {
        let text = r#"
            impl<H: Handler> rmcp::Handler for Gated<H> {
                fn ping(&self) { fn inner() {} }
                forward! { fn get_info(&self) -> Info; }
            }
            impl<H> Gated<H> { fn gate(&self) {} }
            impl Handler for Other { fn local(&self) {} }
        "#;
        assert_eq!(of_impl("Handler", "Gated", &files(text)).unwrap(), Some(names(&["get_info", "ping"])));
    }

    #[test]
    fn no_implementation_is_not_an_empty_one() {
        assert_eq!(of_impl("Handler", "Gated", &files("impl Gated { fn ping() {} }")).unwrap(), None);
        assert_eq!(of_impl("Handler", "Gated", &files("impl Handler for Gated {}")).unwrap(), Some(names(&[])));
    }
}

//! What a macro writes, as far as it can be read without expanding it.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::ItemMacro;

/// The bodies of a `macro_rules!`, with `$name` read as `name` and what is repeated written once; or the tokens that any
/// other macro is given.
pub(super) fn bodies(item: &ItemMacro) -> Vec<TokenStream> {
    if item.ident.is_none() {
        return vec![item.mac.tokens.clone()];
    }
    let groups = item.mac.tokens.clone().into_iter().filter_map(|token| match token {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    });
    groups.skip(1).step_by(2).map(plain).collect()
}

fn plain(tokens: TokenStream) -> TokenStream {
    let mut written = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '$' => {
                if let Some(TokenTree::Group(group)) = tokens.peek()
                    && group.delimiter() == Delimiter::Parenthesis
                {
                    written.extend(plain(group.stream()));
                    tokens.next();
                    // The separator, if any, and the operator.
                    while let Some(TokenTree::Punct(mark)) = tokens.next() {
                        if ['*', '+', '?'].contains(&mark.as_char()) {
                            break;
                        }
                    }
                }
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), plain(group.stream()));
                inner.set_span(group.span());
                written.push(TokenTree::Group(inner));
            }
            other => written.push(other),
        }
    }
    written.into_iter().collect()
}

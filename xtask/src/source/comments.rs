//! The comments of a Rust file. A parser drops them, so this is a small scanner that knows what else may hold `//`.

/// One line of a comment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Comment<'a> {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// Every line of every comment: `//`, `///`, `//!`, and `/* */` which nest. Strings and characters are passed over.
pub(crate) fn comments(source: &str) -> Vec<Comment<'_>> {
    let mut scanner = Scanner { source, at: 0, line: 1, comments: Vec::new() };
    while scanner.step() {}
    scanner.comments
}

struct Scanner<'a> {
    source: &'a str,
    at: usize,
    line: usize,
    comments: Vec<Comment<'a>>,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize) {
        let passed = self.rest().get(..bytes).unwrap_or(self.rest());
        self.line += passed.matches('\n').count();
        self.at += passed.len();
    }

    /// Passes over one thing; false at the end.
    fn step(&mut self) -> bool {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return false;
        };
        if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            self.keep(length);
        } else if rest.starts_with("/*") {
            self.keep(block_length(rest));
        } else if let Some(length) = raw_string_length(rest) {
            self.advance(length);
        } else if first == '"' {
            self.advance(quoted_length(rest, '"'));
        } else if first == '\'' {
            self.advance(character_length(rest));
        } else if first.is_alphanumeric() || first == '_' {
            // A whole word, so that the `r` of `var"` can't be taken for a raw string's.
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            self.advance(word);
        } else {
            self.advance(first.len_utf8());
        }
        true
    }

    fn keep(&mut self, length: usize) {
        let text = self.rest().get(..length).unwrap_or_default();
        let first = self.line;
        self.comments.extend(text.lines().enumerate().map(|(index, text)| Comment { line: first + index, text }));
        self.advance(length);
    }
}

fn block_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// `r"…"`, `r#"…"#`, also of bytes and C strings. A raw identifier `r#type` is none.
fn raw_string_length(text: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"]
        .into_iter()
        .find(|prefix| text.strip_prefix(prefix).is_some_and(|rest| rest.trim_start_matches('#').starts_with('"')))?;
    let opening = text.strip_prefix(prefix)?;
    let hashes = opening.len() - opening.trim_start_matches('#').len();
    let body = prefix.len() + hashes + 1;
    let closing = format!("\"{}", "#".repeat(hashes));
    let end = text.get(body..)?.find(&closing).map_or(text.len(), |found| body + found + closing.len());
    Some(end)
}

fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + character.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// `'x'` and `'\n'` are characters; `'a` is a lifetime, of which only the mark is passed.
fn character_length(text: &str) -> usize {
    let mut characters = text.chars().skip(1);
    match (characters.next(), characters.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted_length(text, '\''),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<(usize, &str)> {
        comments(source).into_iter().map(|comment| (comment.line, comment.text)).collect()
    }

    #[test]
    fn line_and_doc_comments() {
        let source = "//! crate\nfn a() {} // after\n/// item\n";
        assert_eq!(found(source), [(1, "//! crate"), (2, "// after"), (3, "/// item")]);
    }

    #[test]
    fn block_comments_nest_and_give_each_line() {
        let source = "a /* one /* two */\nthree */ b // four";
        assert_eq!(found(source), [(1, "/* one /* two */"), (2, "three */"), (2, "// four")]);
    }

    #[test]
    fn strings_hold_no_comments() {
        for source in [
            r#"let a = "// no \" // no";"#,
            r##"let a = r"// no \"; let b = br#"// "no"# ; let c = r#type;"##,
            "let a = \"\n// no\n\";",
            "let a = b\"// no\"; let b = c\"// no\";",
        ] {
            assert_eq!(found(source), [], "{source}");
        }
    }

    #[test]
    fn the_scanner_finds_its_way_back_out_of_a_literal() {
        for literal in [r#""\\""#, "'\"'", r"'\''", "'/'", "b'\"'", "r#\"\"\"#", "&'static", "'é'"] {
            let source = format!("let a = {literal}; // yes");
            assert_eq!(found(&source), [(1, "// yes")], "{source}");
        }
        assert_eq!(found("let var = 1; fn f<'a>(x: &'a str) -> &'a str { x } // yes"), [(1, "// yes")]);
        assert_eq!(found("\"\n\n\" // yes"), [(3, "// yes")]);
    }
}

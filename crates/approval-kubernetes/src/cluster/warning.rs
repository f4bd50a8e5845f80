//! The header `Warning` (RFC 7234, 5.5), in which the API server says what it thinks of a request that it grants.

use http::HeaderMap;

/// The texts of all warnings.
pub(super) fn texts(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(http::header::WARNING).iter();
    values.flat_map(|value| parse(&String::from_utf8_lossy(value.as_bytes()))).collect()
}

/// `code agent "text" ["date"]`, several after commas.
fn parse(header: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = header;
    while let Some((_, quoted)) = rest.split_once('"') {
        let (text, after) = quoted_text(quoted);
        texts.push(text);
        // What stands before the next comma is the date.
        rest = after.split_once(',').map_or("", |(_, next)| next);
    }
    if texts.is_empty() && !header.is_empty() {
        texts.push(header.to_owned());
    }
    texts
}

/// The text up to the quote that ends it, and what stands after that.
fn quoted_text(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
            character => text.push(character),
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_found() {
        assert_eq!(parse(r#"299 - "unknown field \"spec.x\"""#), [r#"unknown field "spec.x""#]);
        assert_eq!(parse(r#"299 - "one, with a comma", 299 - "two""#), ["one, with a comma", "two"]);
        assert_eq!(parse(r#"299 a "one" "Wed, 21 Oct 2015", 299 - "two""#).first().map(String::as_str), Some("one"));
    }

    #[test]
    fn what_has_another_form_is_kept_as_it_is() {
        assert_eq!(parse("be careful"), ["be careful"]);
        assert_eq!(parse(r#"299 - "unended"#), ["unended"]);
        assert_eq!(parse(""), Vec::<String>::new());
    }
}

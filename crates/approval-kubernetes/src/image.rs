//! Images, as container runtimes read their names.

use std::fmt;

/// Where images come from whose name doesn't say.
pub const DEFAULT_REGISTRY: &str = "docker.io";

/// A reference to an image.
///
/// ```
/// use approval_kubernetes::Image;
///
/// let image = Image::parse("registry:5000/app")?;
/// assert_eq!((image.registry(), image.repository(), image.tag()), ("registry:5000", "app", None));
/// assert!(image.is_latest());
///
/// let image = Image::parse("nginx:1.27")?;
/// assert_eq!((image.registry(), image.repository(), image.tag()), ("docker.io", "library/nginx", Some("1.27")));
/// # Ok::<(), approval_kubernetes::WrongImage>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text is no reference to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongImage {
    /// What follows `@`.
    #[error("its digest is none")]
    Digest,
    /// Nothing, or more than a name may have.
    #[error("its name is empty or too long")]
    Length,
    /// What comes before the first `/`.
    #[error("its registry is none")]
    Registry,
    /// The path.
    #[error("its repository has other than lower-case letters, digits and separators in it")]
    Repository,
    /// What follows the last `:`.
    #[error("its tag is none")]
    Tag,
}

/// The longest name, without tag and digest.
const LONGEST_NAME: usize = 255;

impl Image {
    /// Reads a reference.
    ///
    /// # Errors
    /// [`WrongImage`], where no runtime would take it.
    pub fn parse(text: &str) -> Result<Self, WrongImage> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => return Err(WrongImage::Digest),
            None => (text, None),
        };
        // A colon before a slash belongs to a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(WrongImage::Tag);
        }
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err(WrongImage::Length);
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if names_a_registry(first) => (first, path),
            _ => (DEFAULT_REGISTRY, name),
        };
        if !is_registry(registry) {
            return Err(WrongImage::Registry);
        }
        let is_identifier = path.len() == 64 && path.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_identifier || !path.split('/').all(is_path_component) {
            return Err(WrongImage::Repository);
        }
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        let repository = if registry == DEFAULT_REGISTRY && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        Ok(Self { registry: registry.to_owned(), repository, tag: tag.map(str::to_owned), digest })
    }

    /// Host and port of the registry, [`DEFAULT_REGISTRY`] where the text names none.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path within the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, where there is one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, where there is one: then it is what is pulled, whatever the tag.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Whether it is whatever was pushed last, by the tag `latest` or by no tag.
    #[must_use]
    pub fn is_latest(&self) -> bool {
        self.digest.is_none() && self.tag.as_deref().is_none_or(|tag| tag == "latest")
    }

    /// Whether it comes from there: a registry, or a registry and the first steps of a path.
    #[must_use]
    pub fn is_from(&self, place: &str) -> bool {
        let full = format!("{}/{}", self.registry, self.repository);
        full.strip_prefix(place.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for Image {
    /// In full.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

/// Whether what comes before the first slash is a host.
fn names_a_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_label = |label: &str| {
        let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && is_end(label.as_bytes().first())
            && is_end(label.as_bytes().last())
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match address {
        Some(address) => !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':'),
        None => host.split('.').all(is_label),
    };
    is_host && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Runs of lower-case letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_path_component(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separator = String::new();
    for character in text.chars() {
        if character.is_ascii() && is_inner(u8::try_from(character).unwrap_or_default()) {
            separator.clear();
            continue;
        }
        separator.push(character);
        let is_separator = matches!(separator.as_str(), "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-');
        if !is_separator || separator.len() == text.len() {
            return false;
        }
    }
    separator.is_empty() && text.bytes().next().is_some_and(is_inner)
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, digits)) = text.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    digits.len() == length && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_runtimes_read_them() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, registry, repository, tag, is_latest) in [
            ("nginx", "docker.io", "library/nginx", None, true),
            ("nginx:latest", "docker.io", "library/nginx", Some("latest"), true),
            ("nginx:1.27", "docker.io", "library/nginx", Some("1.27"), false),
            ("app:5000", "docker.io", "library/app", Some("5000"), false),
            ("team/app", "docker.io", "team/app", None, true),
            ("index.docker.io/nginx", "docker.io", "library/nginx", None, true),
            ("registry:5000/app", "registry:5000", "app", None, true),
            ("registry:5000/app:5000", "registry:5000", "app", Some("5000"), false),
            ("localhost/app", "localhost", "app", None, true),
            ("ghcr.io/org/a_b/c--d.e:v1.0-rc_1", "ghcr.io", "org/a_b/c--d.e", Some("v1.0-rc_1"), false),
            ("[::1]:5000/app:1", "[::1]:5000", "app", Some("1"), false),
            ("Registry/app:1", "Registry", "app", Some("1"), false),
            (&format!("nginx@{digest}"), "docker.io", "library/nginx", None, false),
            (&format!("r:5000/nginx:latest@{digest}"), "r:5000", "nginx", Some("latest"), false),
        ] {
            let image = Image::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((image.registry(), image.repository(), image.tag()), (registry, repository, tag), "{text}");
            assert_eq!(image.is_latest(), is_latest, "{text}");
            assert_eq!(image.digest().is_some(), text.contains('@'), "{text}");
            assert_eq!(Image::parse(&image.to_string()), Ok(image), "{text}");
        }
    }

    #[test]
    fn what_no_runtime_takes_is_refused() {
        for (text, expected) in [
            ("", WrongImage::Length),
            (":1", WrongImage::Length),
            ("Nginx", WrongImage::Repository),
            ("a//b", WrongImage::Repository),
            ("a/", WrongImage::Repository),
            ("a..b/c", WrongImage::Registry),
            ("a/b..c", WrongImage::Repository),
            ("a/-b", WrongImage::Repository),
            ("a/b___c", WrongImage::Repository),
            ("a b", WrongImage::Repository),
            ("nginx:", WrongImage::Tag),
            ("nginx:-x", WrongImage::Tag),
            ("nginx:a b", WrongImage::Tag),
            ("registry:/app", WrongImage::Registry),
            ("-registry.example/app", WrongImage::Registry),
            ("nginx@sha256:0a", WrongImage::Digest),
            ("nginx@md5:0123456789abcdef0123456789abcdef", WrongImage::Digest),
            (&"0a".repeat(32), WrongImage::Repository),
            (&"a/".repeat(200), WrongImage::Length),
            ("приложение", WrongImage::Repository),
        ] {
            assert_eq!(Image::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_place_ends_at_a_step() {
        let image = Image::parse("ghcr.io/our-org/app:1").unwrap();
        assert!(image.is_from("ghcr.io"));
        assert!(image.is_from("ghcr.io/our-org"));
        assert!(image.is_from("ghcr.io/our-org/"));
        assert!(!image.is_from("ghcr.io/our"));
        assert!(!image.is_from("ghcr.i"));
        assert!(!image.is_from("docker.io"));
    }
}

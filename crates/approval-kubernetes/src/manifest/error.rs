use crate::quoted::quoted;

/// Why a text isn't taken, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("document {document}, line {line}: {fault}")]
pub struct ManifestError {
    document: usize,
    line: usize,
    fault: Box<Fault>,
}

impl ManifestError {
    pub(super) fn new(document: usize, line: usize, fault: Fault) -> Self {
        Self { document, line, fault: Box::new(fault) }
    }

    /// Which of the text's documents, from 1 on.
    #[must_use]
    pub fn document(&self) -> usize {
        self.document
    }

    /// The line of the text, from 1 on.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A plain scalar that readers of YAML 1.1 and of YAML 1.2 take for different values, or that JSON has no value for.
    #[error("{} is {}: {}", quoted(.text), .readings, .remedy)]
    Ambiguous {
        /// As it is written.
        text: String,
        /// What it is for whom.
        readings: &'static str,
        /// What to write instead.
        remedy: &'static str,
    },
    /// An anchor or an alias.
    #[error("an anchor or alias (`&`, `*`): write out what it stands for")]
    Anchor,
    /// `apiVersion` isn't one.
    #[error("`apiVersion` is {}, which is neither `v1` nor `group/v1`", quoted(.0))]
    ApiVersion(String),
    /// A character that some readers drop, stop at, or take for the end of a line.
    #[error("the character U+{:04X} {why}", u32::from(*.character))]
    Character {
        /// The character.
        character: char,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A `%` directive.
    #[error("a directive (`%`): leave it out")]
    Directive,
    /// Two members of one name.
    #[error("{} is given twice: first on line {first}", quoted(.key))]
    DuplicateKey {
        /// The name.
        key: String,
        /// The line of the first one.
        first: usize,
    },
    /// The same object twice.
    #[error("{object} is given twice: first on line {first}")]
    DuplicateObject {
        /// Kind and name.
        object: String,
        /// The line of the first one.
        first: usize,
    },
    /// No object in the whole text.
    #[error("there is no object in it")]
    Empty,
    /// The object has no canonical form, for a reason that the reader of YAML didn't see.
    #[error("{0}")]
    Inadmissible(String),
    /// A member `items` of something that isn't a list.
    #[error("`items` of {}, which is no list: some clients take the object for one", quoted(.kind))]
    ItemsOutsideList {
        /// The kind.
        kind: String,
    },
    /// A key that isn't a text.
    #[error("the key {} is no text: quote it", quoted(.0))]
    KeyNotText(String),
    /// A key that is a sequence or a mapping.
    #[error("a sequence or mapping as a key")]
    KeyNotScalar,
    /// `kind` isn't one.
    #[error("`kind` is {}, which is no name of a kind", quoted(.0))]
    Kind(String),
    /// A list within a list, or a list with more than its items.
    #[error("{0}")]
    List(&'static str),
    /// `<<`.
    #[error("a merge key (`<<`): write out what it stands for")]
    MergeKey,
    /// A member that an object must have.
    #[error("`{member}` is missing{hint}")]
    Missing {
        /// Its path, such as `metadata.name`.
        member: &'static str,
        /// What to do, where that isn't plain.
        hint: &'static str,
    },
    /// `metadata.name` or `metadata.namespace` can't be one.
    #[error("`{member}` is {}, which {why}", quoted(.name))]
    Name {
        /// Which.
        member: &'static str,
        /// What was given.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A document that is something else than an object.
    #[error("a document must be an object, and this one is {0}")]
    NotAnObject(&'static str),
    /// A number that has no canonical form.
    #[error("{}: {why}", quoted(.text))]
    Number {
        /// As it is written.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A line of `---` that isn't one for all readers, or a document without such a line before it.
    #[error("{0}")]
    Separator(&'static str),
    /// Neither YAML nor JSON.
    #[error("{0}")]
    Syntax(String),
    /// A tag.
    #[error("the tag {}: leave it out, and quote what is a text", quoted(.0))]
    Tag(String),
    /// Too many open sequences and mappings.
    #[error("more than {limit} nested sequences and mappings")]
    TooDeep {
        /// How many may be.
        limit: usize,
    },
    /// Too long a text.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// How many may be.
        limit: usize,
    },
    /// Too many values in a document.
    #[error("more than {limit} values")]
    TooManyNodes {
        /// How many may be.
        limit: usize,
    },
    /// Too many objects.
    #[error("more than {limit} objects")]
    TooManyObjects {
        /// How many may be.
        limit: usize,
    },
    /// A member of another type.
    #[error("`{member}` is no {expected}")]
    WrongType {
        /// Its path.
        member: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
}

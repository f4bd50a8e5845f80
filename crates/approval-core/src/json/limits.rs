/// How large a document may be.
///
/// Depth and the length of a number are the same for all documents: whether a text is admitted must not depend on how a
/// server is configured, except for its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    max_bytes: usize,
    max_nodes: usize,
}

impl Limits {
    // [DIG-029]
    /// The arguments of one tool call: 2 MiB and 200 000 nodes.
    pub const ARGUMENTS: Self = Self::new(2 << 20, 200_000);

    /// One record of a plan, or the plan as a whole: 16 MiB and 2 000 000 nodes.
    pub const PLAN: Self = Self::new(16 << 20, 2_000_000);

    /// A result that goes to the model: 16 KiB; the nodes are as many as fit.
    pub const RESULT: Self = Self::new(16 << 10, 8 << 10);

    /// How many containers may be open at once, the outermost included.
    pub const MAX_DEPTH: usize = 64;

    /// The bytes of the longest number token.
    pub const MAX_NUMBER_LEN: usize = 40;

    /// Limits of one's own.
    ///
    /// `max_bytes` holds for the bytes received and for the canonical bytes alike, so that what was admitted once is
    /// admitted again. A node is a value of any kind, the outermost object included; a member name is none.
    #[must_use]
    pub const fn new(max_bytes: usize, max_nodes: usize) -> Self {
        Self { max_bytes, max_nodes }
    }

    /// The longest document, in bytes.
    #[must_use]
    pub const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// The largest number of values in a document.
    #[must_use]
    pub const fn max_nodes(&self) -> usize {
        self.max_nodes
    }
}

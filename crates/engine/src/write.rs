//! Whether a backward pass sets a gradient or adds to it. The schedule decides, so that no pass
//! over memory has to zero gradients first.

/// How a backward pass writes a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// First writer: overwrites the place.
    Set,
    /// Later writer: adds to the place.
    Add,
    /// First writer, in place of the input itself, which is no longer needed: each number is read,
    /// then overwritten.
    Over,
}

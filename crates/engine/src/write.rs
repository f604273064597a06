//! Does a gradient's writer set it or add to it? The schedule decides, so that no pass over memory
//! has to zero gradients first.

/// How a backward pass writes a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// First writer: what was there is overwritten.
    Set,
    /// Later writer: the gradient is added to what is there.
    Add,
    /// First writer, into the place of the input itself, which nobody reads any more: each number
    /// is read there, then overwritten.
    Over,
}

//! Calls of libraries that parse files from outside.

use crate::{Error, Result};
use std::cell::Cell;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside a library.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs a call of a library. A damaged file can trigger its assertions: they become ordinary
/// errors, and nothing is printed.
pub(crate) fn library<T, E: Display>(
    path: &Path,
    place: &str,
    what: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !INSIDE.get() {
                before(panic);
            }
        }));
    });
    INSIDE.set(true);
    let done = catch_unwind(AssertUnwindSafe(what));
    INSIDE.set(false);
    match done {
        Ok(done) => done.map_err(|e| Error::damaged(path, format!("{place}: {e}"))),
        Err(_) => Err(Error::damaged(path, place)),
    }
}

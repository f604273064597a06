//! Free space of the disk: a reserve is kept.

use crate::{Error, Result};
use std::path::Path;

/// What is left free: this much, or a twentieth of a small disk.
const RESERVE: u64 = 1 << 30;

/// Refuses to write this many bytes to a folder whose disk would be all but full. A system that
/// doesn't tell how much is free is no reason to refuse.
pub(crate) fn check(folder: &Path, bytes: u64) -> Result<()> {
    let Some(stats) = folder.ancestors().find_map(|f| fs4::statvfs(f).ok()) else {
        return Ok(());
    };
    let reserve = RESERVE.min(stats.total_space() / 20);
    match stats.available_space() < bytes.saturating_add(reserve) {
        true => Err(Error::Space {
            folder: folder.to_owned(),
            free: stats.available_space() >> 20,
        }),
        false => Ok(()),
    }
}

/// Free bytes of the disk of a folder.
pub(crate) fn free(folder: &Path) -> u64 {
    let stats = folder.ancestors().find_map(|f| fs4::statvfs(f).ok());
    stats.map_or(u64::MAX, |stats| stats.available_space())
}

//! The time, and memory: what this process has used, and what is free.

use std::time::{SystemTime, UNIX_EPOCH};

/// The current time in Unix seconds.
pub fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// The peak resident memory of this process in bytes (`VmHWM` on Linux); `None` elsewhere.
pub fn peak_bytes() -> Option<u64> {
    bytes_of(
        "VmHWM:",
        &std::fs::read_to_string("/proc/self/status").ok()?,
    )
}

/// The memory in bytes that processes can still take without swapping (`MemAvailable` on Linux);
/// `None` elsewhere.
pub fn available_bytes() -> Option<u64> {
    bytes_of(
        "MemAvailable:",
        &std::fs::read_to_string("/proc/meminfo").ok()?,
    )
}

/// The value in a line that begins with `name`.
fn bytes_of(name: &str, lines: &str) -> Option<u64> {
    let line = lines.lines().find_map(|l| l.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t   1234 kB\n";
        assert_eq!(bytes_of("VmHWM:", status), Some(1234 * 1024));
        assert_eq!(bytes_of("VmHWM:", "VmHWM:\t many kB"), None);
        assert_eq!(bytes_of("VmHWM:", ""), None);
    }
}

//! Prefetching.

/// Prefetches `count` numbers that will be read soon: the hardware doesn't predict rows that are
/// far apart. The address doesn't have to be readable.
#[inline(always)]
pub fn prefetch(from: *const f32, count: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..count).step_by(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch has no visible effect and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(line).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, count);
}

//! Prefetching.

/// Prefetches `count` numbers that will be read soon: the hardware doesn't predict rows that are
/// far apart. The address doesn't have to be readable.
#[inline(always)]
pub fn prefetch(from: *const f32, count: usize) {
    fetch::<true>(from, count);
}

/// The same for numbers that will be read later: they wait in the L2 cache.
#[inline(always)]
pub fn prefetch_early(from: *const f32, count: usize) {
    fetch::<false>(from, count);
}

#[inline(always)]
fn fetch<const SOON: bool>(from: *const f32, count: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..count).step_by(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T2, _mm_prefetch};
        let line = from.wrapping_add(line).cast();
        // SAFETY: a prefetch has no visible effect and never faults.
        unsafe {
            match SOON {
                true => _mm_prefetch::<_MM_HINT_T0>(line),
                false => _mm_prefetch::<_MM_HINT_T2>(line),
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, count);
}

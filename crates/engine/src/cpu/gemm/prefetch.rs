//! Prefetching.

/// Prefetches `count` numbers that will be read soon: the hardware doesn't predict rows that are
/// far apart. The address doesn't have to be readable.
#[inline(always)]
pub fn prefetch(from: *const f32, count: usize) {
    #[cfg(target_arch = "x86_64")]
    fetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(from, count);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, count);
}

/// The same for numbers that will be read later: they wait in the L2 cache.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn prefetch_early(from: *const f32, count: usize) {
    fetch::<{ std::arch::x86_64::_MM_HINT_T2 }>(from, count);
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn fetch<const INTO: i32>(from: *const f32, count: usize) {
    for line in (0..count).step_by(16) {
        // SAFETY: a prefetch has no visible effect and never faults.
        unsafe { std::arch::x86_64::_mm_prefetch::<INTO>(from.wrapping_add(line).cast()) };
    }
}

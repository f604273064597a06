//! Packing for `vdpbf16ps`: pairs of bf16 numbers adjacent in k, the first in the upper half of
//! 4 bytes. Only used on processors with the instruction; the others round numbers and keep them as
//! f32 (`pack::Form::Rounded`).

#[cfg(not(target_arch = "x86_64"))]
pub fn line(_: &[f32], _: &mut [f32]) {
    unreachable!("no bf16 instructions on this processor");
}

#[cfg(not(target_arch = "x86_64"))]
pub fn panels(_: &[f32], _: usize, _: (usize, usize), _: usize, _: &mut [f32]) {
    unreachable!("no bf16 instructions on this processor");
}

#[cfg(target_arch = "x86_64")]
pub use x86::{line, panels};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use crate::cpu::gemm::prefetch::prefetch;
    use std::arch::x86_64::*;

    /// Pairs of contiguous numbers; an odd last one is paired with 0.
    pub fn line(from: &[f32], to: &mut [f32]) {
        assert!(
            to.len() == from.len().div_ceil(2),
            "one pair per two numbers"
        );
        // SAFETY: `Form::Pairs` is chosen only where the processor has the instructions.
        unsafe { line_of_pairs(from, to) }
    }

    /// Panels of `tile` pairs: pair `j` of panel `t` in unit `u` is column `t·tile + j` of rows
    /// `2u` and `2u + 1`. The last panel and an odd last row are padded with 0.
    pub fn panels(
        data: &[f32],
        stride: usize,
        (width, depth): (usize, usize),
        tile: usize,
        packed: &mut [f32],
    ) {
        if depth == 0 || width == 0 {
            return;
        }
        let units = width.next_multiple_of(tile) * depth.div_ceil(2);
        assert!(
            data.len() >= (depth - 1) * stride + width && packed.len() >= units,
            "operand or panels too short"
        );
        // SAFETY: as above; the bounds were just checked.
        unsafe { panels_of_pairs(data.as_ptr(), stride, (width, depth), tile, packed) }
    }

    /// # Safety
    /// AVX-512 with bf16.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn line_of_pairs(from: &[f32], to: &mut [f32]) {
        let (whole, rest) = from.as_chunks::<32>();
        let (pairs, last) = to.split_at_mut(16 * whole.len());
        for (from, to) in whole.iter().zip(pairs.as_chunks_mut::<16>().0) {
            // SAFETY: 32 numbers to read, 16 pairs to write.
            unsafe {
                let first = _mm512_loadu_ps(from.as_ptr());
                let second = _mm512_loadu_ps(from.as_ptr().add(16));
                _mm512_storeu_si512(to.as_mut_ptr().cast(), pairs_of(first, second));
            }
        }
        if !rest.is_empty() {
            let (first, second) = (lanes(rest.len().min(16)), lanes(rest.len().max(16) - 16));
            // SAFETY: the masks cover no lane outside the slices.
            unsafe {
                let first = _mm512_maskz_loadu_ps(first, rest.as_ptr());
                let second = _mm512_maskz_loadu_ps(second, rest.as_ptr().wrapping_add(16));
                let room = lanes(last.len());
                _mm512_mask_storeu_epi32(last.as_mut_ptr().cast(), room, pairs_of(first, second));
            }
        }
    }

    /// Pairs of 32 contiguous numbers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn pairs_of(first: __m512, second: __m512) -> __m512i {
        let both = _mm512_cvtne2ps_pbh(second, first);
        // SAFETY: the types have the same size, and any bits are valid.
        _mm512_rol_epi32::<16>(unsafe { std::mem::transmute::<__m512bh, __m512i>(both) })
    }

    /// The first `count` of 16 lanes.
    fn lanes(count: usize) -> u16 {
        ((1u32 << count) - 1) as u16
    }

    /// Units of depth packed together: see `pack::panels_of`.
    const UNITS_AT_ONCE: usize = 8;

    /// # Safety
    /// AVX-512 with bf16; `data` valid for `depth` rows of `width` numbers, `packed` for all
    /// panels.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn panels_of_pairs(
        data: *const f32,
        stride: usize,
        (width, depth): (usize, usize),
        tile: usize,
        packed: &mut [f32],
    ) {
        // Lane i of the second row goes to the lower half of pair i, that of the first to the
        // upper.
        let mut order = [0u16; 32];
        for (i, o) in order.iter_mut().enumerate() {
            *o = (i / 2 + i % 2 * 16) as u16;
        }
        let units = depth.div_ceil(2);
        // SAFETY: loads and stores are masked to what the caller guarantees.
        unsafe {
            let order = _mm512_loadu_si512(order.as_ptr().cast());
            for from in (0..units).step_by(UNITS_AT_ONCE) {
                for t in 0..width.div_ceil(tile) {
                    for v in (0..tile).step_by(16) {
                        let (left, count) = (t * tile + v, (tile - v).min(16));
                        let (have, room) = (width.saturating_sub(left).min(count), lanes(count));
                        let have = lanes(have);
                        for unit in from..units.min(from + UNITS_AT_ONCE) {
                            let row = data.wrapping_add(2 * unit * stride + left);
                            let second = if 2 * unit + 1 < depth { have } else { 0 };
                            let next = row.wrapping_add(2 * UNITS_AT_ONCE * stride);
                            prefetch(next, 16);
                            prefetch(next.wrapping_add(stride), 16);
                            let first = _mm512_maskz_loadu_ps(have, row);
                            let second = _mm512_maskz_loadu_ps(second, row.wrapping_add(stride));
                            let both = _mm512_cvtne2ps_pbh(first, second);
                            let both = std::mem::transmute::<__m512bh, __m512i>(both);
                            let pairs = _mm512_permutexvar_epi16(order, both);
                            let to = packed.as_mut_ptr().add((t * units + unit) * tile + v);
                            _mm512_mask_storeu_epi32(to.cast(), room, pairs);
                        }
                    }
                }
            }
        }
    }
}

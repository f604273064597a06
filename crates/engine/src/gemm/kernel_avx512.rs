//! The kernel for AVX-512: a tile of 12 × 32 in registers.

use super::DEPTH;
use std::arch::x86_64::*;

/// Rows of the register tile.
pub const ROWS: usize = 12;
/// Columns of the register tile.
pub const COLUMNS: usize = 32;
const VECTOR: usize = 16;

/// # Safety
/// AVX-512 is there; `a` and `b` are packed for whole tiles of this depth; `c` is valid for a whole
/// tile.
#[target_feature(enable = "avx512f")]
pub unsafe fn kernel<const BY_ROWS: bool>(
    depth: usize,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    stride: usize,
    zero: bool,
) {
    let mut acc = [[_mm512_setzero_ps(); COLUMNS / VECTOR]; ROWS];
    // SAFETY: by the caller.
    unsafe {
        if !zero {
            for (r, acc) in acc.iter_mut().enumerate() {
                for (v, acc) in acc.iter_mut().enumerate() {
                    *acc = _mm512_loadu_ps(c.add(r * stride + v * VECTOR));
                }
            }
        }
        for k in 0..depth {
            let b: [_; COLUMNS / VECTOR] =
                std::array::from_fn(|v| _mm512_loadu_ps(b.add(k * COLUMNS + v * VECTOR)));
            for (r, acc) in acc.iter_mut().enumerate() {
                let a = _mm512_set1_ps(*a.add(if BY_ROWS { r * DEPTH + k } else { k * ROWS + r }));
                for (acc, b) in acc.iter_mut().zip(b) {
                    *acc = _mm512_fmadd_ps(a, b, *acc);
                }
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            for (v, acc) in acc.iter().enumerate() {
                _mm512_storeu_ps(c.add(r * stride + v * VECTOR), *acc);
            }
        }
    }
}

//! The kernel for AVX2: a tile of 6 × 16 in registers.

use super::DEPTH;
use std::arch::x86_64::*;

/// Rows of the register tile.
pub const ROWS: usize = 6;
/// Columns of the register tile.
pub const COLUMNS: usize = 16;
const VECTOR: usize = 8;

/// # Safety
/// AVX2 is there; `a` and `b` are packed for whole tiles of this depth; `c` is valid for a whole
/// tile.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn kernel<const BY_ROWS: bool>(
    depth: usize,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    stride: usize,
    zero: bool,
) {
    let mut acc = [[_mm256_setzero_ps(); COLUMNS / VECTOR]; ROWS];
    // SAFETY: by the caller.
    unsafe {
        if !zero {
            for (r, acc) in acc.iter_mut().enumerate() {
                for (v, acc) in acc.iter_mut().enumerate() {
                    *acc = _mm256_loadu_ps(c.add(r * stride + v * VECTOR));
                }
            }
        }
        for k in 0..depth {
            let b: [_; COLUMNS / VECTOR] =
                std::array::from_fn(|v| _mm256_loadu_ps(b.add(k * COLUMNS + v * VECTOR)));
            for (r, acc) in acc.iter_mut().enumerate() {
                let a = _mm256_set1_ps(*a.add(if BY_ROWS { r * DEPTH + k } else { k * ROWS + r }));
                for (acc, b) in acc.iter_mut().zip(b) {
                    *acc = _mm256_fmadd_ps(a, b, *acc);
                }
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            for (v, acc) in acc.iter().enumerate() {
                _mm256_storeu_ps(c.add(r * stride + v * VECTOR), *acc);
            }
        }
    }
}

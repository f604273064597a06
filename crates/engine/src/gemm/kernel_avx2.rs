//! The kernel for AVX2: a tile of 6 × 16 in registers.

use std::arch::x86_64::*;

/// Rows of the register tile.
pub const ROWS: usize = 6;
/// Columns of the register tile.
pub const COLUMNS: usize = 16;
const VECTOR: usize = 8;

/// # Safety
/// AVX2 is there; `b`, and `a` by columns, are packed for whole tiles of this depth; `a` by rows has
/// whole rows at `a_stride`; `c` is valid for a whole tile.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn kernel<const BY_ROWS: bool>(
    depth: usize,
    (a, a_stride): (*const f32, usize),
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
        // Three rows share one pointer, with the stride once or twice added by the instruction's own
        // addressing: twelve pointers would not fit the registers.
        let mut rows: [_; ROWS / 3] = std::array::from_fn(|i| a.add(3 * i * a_stride));
        for k in 0..depth {
            let b: [_; COLUMNS / VECTOR] =
                std::array::from_fn(|v| _mm256_loadu_ps(b.add(k * COLUMNS + v * VECTOR)));
            for (r, acc) in acc.iter_mut().enumerate() {
                let a = _mm256_set1_ps(match BY_ROWS {
                    true => *rows[r / 3].add(r % 3 * a_stride),
                    false => *a.add(k * ROWS + r),
                });
                for (acc, b) in acc.iter_mut().zip(b) {
                    *acc = _mm256_fmadd_ps(a, b, *acc);
                }
            }
            rows = rows.map(|row| row.add(1));
        }
        for (r, acc) in acc.iter().enumerate() {
            for (v, acc) in acc.iter().enumerate() {
                _mm256_storeu_ps(c.add(r * stride + v * VECTOR), *acc);
            }
        }
    }
}

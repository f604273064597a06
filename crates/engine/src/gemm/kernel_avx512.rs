//! The kernel for AVX-512: a tile of 12 × 32 in registers.

use std::arch::x86_64::*;

/// Rows of the register tile.
pub const ROWS: usize = 12;
/// Columns of the register tile.
pub const COLUMNS: usize = 32;
const VECTOR: usize = 16;

/// # Safety
/// AVX-512 is there; `b`, and `a` by columns, are packed for whole tiles of this depth; `a` by rows has
/// whole rows at `a_stride`; `c` is valid for a whole tile.
#[target_feature(enable = "avx512f")]
pub unsafe fn kernel<const BY_ROWS: bool>(
    depth: usize,
    (a, a_stride): (*const f32, usize),
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
        // Three rows share one pointer, with the stride once or twice added by the instruction's own
        // addressing: twelve pointers would not fit the registers.
        let mut rows: [_; ROWS / 3] = std::array::from_fn(|i| a.add(3 * i * a_stride));
        for k in 0..depth {
            let b: [_; COLUMNS / VECTOR] =
                std::array::from_fn(|v| _mm512_loadu_ps(b.add(k * COLUMNS + v * VECTOR)));
            for (r, acc) in acc.iter_mut().enumerate() {
                let a = _mm512_set1_ps(match BY_ROWS {
                    true => *rows[r / 3].add(r % 3 * a_stride),
                    false => *a.add(k * ROWS + r),
                });
                for (acc, b) in acc.iter_mut().zip(b) {
                    *acc = _mm512_fmadd_ps(a, b, *acc);
                }
            }
            rows = rows.map(|row| row.add(1));
        }
        for (r, acc) in acc.iter().enumerate() {
            for (v, acc) in acc.iter().enumerate() {
                _mm512_storeu_ps(c.add(r * stride + v * VECTOR), *acc);
            }
        }
    }
}

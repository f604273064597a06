//! The kernels for x86-64: a tile of C in vector registers, 6 × 16 for AVX2 and 12 × 32 for
//! AVX-512. They differ only in vector width and tile size.

use super::prefetch::prefetch_early;
use super::{Abreast, Kernel, PANELS_ABREAST, ROWS_AT_MOST};
use std::arch::x86_64::*;

/// How many numbers ahead in each panel of B the kernel for one row prefetches: 4 KB.
const AHEAD: usize = 1024;

macro_rules! kernel {
    (
        $(#[$meta:meta])* $name:ident, $feature:literal, $columns:literal columns, $vector:literal,
        rows $($rows:literal)*:
        $zero:ident, $load:ident, $set:ident, $fma:ident, $store:ident
    ) => {
        $(#[$meta])*
        pub mod $name {
            use super::*;

            /// Columns of the register tile.
            pub const COLUMNS: usize = $columns;
            const VECTOR: usize = $vector;

            /// For tiles of 1, 2, … rows, reading A row by row.
            pub const BY_ROWS: &[Kernel] = &[$(kernel::<true, $rows>),*];
            /// For tiles of 1, 2, … rows, reading A column by column.
            pub const BY_COLUMNS: &[Kernel] = &[$(kernel::<false, $rows>),*];
            /// For one row and several panels.
            pub const ABREAST: Option<Abreast> = Some(abreast);

            /// # Safety
            /// As [`Abreast`]; the processor must have the instructions.
            #[target_feature(enable = $feature)]
            unsafe fn abreast(
                depth: usize,
                a: *const f32,
                (b, panel): (*const f32, usize),
                c: *mut f32,
                zero: bool,
            ) {
                let mut acc = [[$zero(); COLUMNS / VECTOR]; PANELS_ABREAST];
                // SAFETY: the caller's obligation.
                unsafe {
                    if !zero {
                        for (v, acc) in acc.as_flattened_mut().iter_mut().enumerate() {
                            *acc = $load(c.add(v * VECTOR));
                        }
                    }
                    for k in 0..depth {
                        let a = $set(*a.add(k));
                        for (p, acc) in acc.iter_mut().enumerate() {
                            let b = b.add(p * panel + k * COLUMNS);
                            prefetch_early(b.wrapping_add(AHEAD), COLUMNS);
                            for (v, acc) in acc.iter_mut().enumerate() {
                                *acc = $fma(a, $load(b.add(v * VECTOR)), *acc);
                            }
                        }
                    }
                    for (v, acc) in acc.as_flattened().iter().enumerate() {
                        $store(c.add(v * VECTOR), *acc);
                    }
                }
            }

            /// # Safety
            /// As [`Kernel`]; the processor must have the instructions.
            #[target_feature(enable = $feature)]
            unsafe fn kernel<const BY_ROWS: bool, const ROWS: usize>(
                depth: usize,
                (a, a_stride): (*const f32, usize),
                b: *const f32,
                c: *mut f32,
                stride: usize,
                zero: bool,
            ) {
                let mut acc = [[$zero(); COLUMNS / VECTOR]; ROWS];
                // SAFETY: the caller's obligation.
                unsafe {
                    if !zero {
                        for (r, acc) in acc.iter_mut().enumerate() {
                            for (v, acc) in acc.iter_mut().enumerate() {
                                *acc = $load(c.add(r * stride + v * VECTOR));
                            }
                        }
                    }
                    // Three rows share one pointer; the instruction's addressing mode adds the
                    // stride once or twice. One pointer per row would need too many registers.
                    let mut rows: [_; ROWS_AT_MOST / 3] =
                        std::array::from_fn(|i| a.add((3 * i).min(ROWS - 1) * a_stride));
                    let mut column = a;
                    for k in 0..depth {
                        let b: [_; COLUMNS / VECTOR] =
                            std::array::from_fn(|v| $load(b.add(k * COLUMNS + v * VECTOR)));
                        for (r, acc) in acc.iter_mut().enumerate() {
                            let a = $set(match BY_ROWS {
                                true => *rows[r / 3].add(r % 3 * a_stride),
                                false => *column.add(r),
                            });
                            for (acc, b) in acc.iter_mut().zip(b) {
                                *acc = $fma(a, b, *acc);
                            }
                        }
                        if BY_ROWS {
                            rows = rows.map(|row| row.add(1));
                        } else {
                            column = column.add(a_stride);
                        }
                    }
                    for (r, acc) in acc.iter().enumerate() {
                        for (v, acc) in acc.iter().enumerate() {
                            $store(c.add(r * stride + v * VECTOR), *acc);
                        }
                    }
                }
            }
        }
    };
}

kernel!(
    /// AVX2 with FMA.
    avx2, "avx2,fma", 16 columns, 8,
    rows 1 2 3 4 5 6:
    _mm256_setzero_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_storeu_ps
);

kernel!(
    /// AVX-512.
    avx512, "avx512f", 32 columns, 16,
    rows 1 2 3 4 5 6 7 8 9 10 11 12:
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps
);

kernel!(
    /// AVX-512 with bf16: A and B are pairs, and each multiply-add is two of them.
    avx512_bf16, "avx512f,avx512bf16", 32 columns, 16,
    rows 1 2 3 4 5 6 7 8 9 10 11 12:
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, multiply_add_pairs, _mm512_storeu_ps
);

/// c + a·b for the number in the upper half of each pair, then for the one in the lower half.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn multiply_add_pairs(a: __m512, b: __m512, c: __m512) -> __m512 {
    // SAFETY: any bits are pairs of bf16 numbers.
    let pairs = |x: __m512| unsafe { std::mem::transmute::<__m512, __m512bh>(x) };
    _mm512_dpbf16_ps(c, pairs(a), pairs(b))
}

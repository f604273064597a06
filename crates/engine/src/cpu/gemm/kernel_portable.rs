//! The kernel for any processor: 16-lane arrays of fused multiply-adds, which the compiler maps to
//! the vectors available (NEON on Arm, not yet tested there).

use super::{Abreast, Kernel};

/// Columns of the register tile.
pub const COLUMNS: usize = 16;

/// For tiles of 1, 2, … rows, reading A row by row.
pub const BY_ROWS: &[Kernel] = &[
    kernel::<true, 1>,
    kernel::<true, 2>,
    kernel::<true, 3>,
    kernel::<true, 4>,
];
/// For tiles of 1, 2, … rows, reading A column by column.
pub const BY_COLUMNS: &[Kernel] = &[
    kernel::<false, 1>,
    kernel::<false, 2>,
    kernel::<false, 3>,
    kernel::<false, 4>,
];

/// None: nothing is known about the processor's memory.
pub const ABREAST: Option<Abreast> = None;

/// # Safety
/// As [`Kernel`].
unsafe fn kernel<const BY_ROWS: bool, const ROWS: usize>(
    depth: usize,
    (a, a_stride): (*const f32, usize),
    b: *const f32,
    c: *mut f32,
    stride: usize,
    zero: bool,
) {
    let mut acc = [[0.0f32; COLUMNS]; ROWS];
    // SAFETY: the caller's obligation.
    unsafe {
        if !zero {
            for (r, acc) in acc.iter_mut().enumerate() {
                *acc = c.add(r * stride).cast::<[f32; COLUMNS]>().read();
            }
        }
        for k in 0..depth {
            let b = b.add(k * COLUMNS).cast::<[f32; COLUMNS]>().read();
            for (r, acc) in acc.iter_mut().enumerate() {
                let a = *a.add(if BY_ROWS {
                    r * a_stride + k
                } else {
                    k * a_stride + r
                });
                for (acc, b) in acc.iter_mut().zip(b) {
                    *acc = a.mul_add(b, *acc);
                }
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            c.add(r * stride).cast::<[f32; COLUMNS]>().write(*acc);
        }
    }
}

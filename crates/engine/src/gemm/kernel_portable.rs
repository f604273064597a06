//! The kernel for any processor: 16-lane arrays of fused multiply-adds, which the compiler turns
//! into the vectors there are (on Arm this is the NEON path, not yet run there).

/// Rows of the register tile.
pub const ROWS: usize = 4;
/// Columns of the register tile.
pub const COLUMNS: usize = 16;

/// # Safety
/// `b`, and `a` by columns, are packed for whole tiles of this depth; `a` by rows has whole rows at
/// `a_stride`; `c` is valid for a whole tile.
pub unsafe fn kernel<const BY_ROWS: bool>(
    depth: usize,
    (a, a_stride): (*const f32, usize),
    b: *const f32,
    c: *mut f32,
    stride: usize,
    zero: bool,
) {
    let mut acc = [[0.0f32; COLUMNS]; ROWS];
    // SAFETY: by the caller.
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
                    k * ROWS + r
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

//! How do three plain loops become a fast matrix product? The first steps toward the kernels, each
//! a few lines. All give the same bits, since each element of C is one chain of fused multiply-adds
//! over k in ascending order. They are for `downhill bench gemm`, and show what packing and
//! register tiles are for.

use crate::cpu::lanes::{LANES, Vector, lanes};
use crate::cpu::machine::Isa;

/// A strided matrix: element (i, j) is at index `i · row + j · column`.
#[derive(Debug, Clone, Copy)]
pub struct Laid<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// Stride from one row to the next.
    pub row: usize,
    /// Stride from one column to the next.
    pub column: usize,
}

/// One step: C [m, n] = A [m, k] · B [k, n], with sizes as (m, n, k), on one thread with the widest
/// instructions of this processor.
pub type Rung = fn(Laid, Laid, &mut [f32], (usize, usize, usize));

/// The steps below the kernels, slowest first.
pub const RUNGS: [(&str, Rung); 4] = [
    ("three plain loops", |a, b, c, size| {
        plain(Isa::detect(), a, b, c, size);
    }),
    ("loops reordered: whole rows of B and C", |a, b, c, size| {
        let b = by_rows(b, size);
        reordered(Isa::detect(), a, &b, c, size);
    }),
    (
        "blocked: reused data stays in the cache",
        |a, b, c, size| {
            let b = by_rows(b, size);
            blocked(Isa::detect(), a, &b, c, size);
        },
    ),
    (
        "register tile: a tile of C stays in registers",
        |a, b, c, size| {
            let b = by_rows(b, size);
            tiled(Isa::detect(), a, &b, c, size);
        },
    ),
];

/// B [k, n] with contiguous rows.
fn by_rows(b: Laid, (_, n, k): (usize, usize, usize)) -> Vec<f32> {
    let element = |i: usize| b.data[i / n * b.row + i % n * b.column];
    match b.column {
        1 => (0..k)
            .flat_map(|p| &b.data[p * b.row..][..n])
            .copied()
            .collect(),
        _ => (0..k * n).map(element).collect(),
    }
}

lanes! {
    fn plain(a: Laid, b: Laid, c: &mut [f32], size: (usize, usize, usize)) {
        let (m, n, k) = size;
        for i in 0..m {
            for j in 0..n {
                let mut sum = 0.0f32;
                for p in 0..k {
                    let (a, b) = (a.data[i * a.row + p * a.column], b.data[p * b.row + j * b.column]);
                    sum = a.mul_add(b, sum);
                }
                c[i * n + j] = sum;
            }
        }
    }
}

lanes! {
    fn reordered(a: Laid, b: &[f32], c: &mut [f32], size: (usize, usize, usize)) {
        let (_, n, k) = size;
        c.fill(0.0);
        for (i, c) in c.chunks_mut(n).enumerate() {
            for p in 0..k {
                add_row(a.data[i * a.row + p * a.column], &b[p * n..][..n], c);
            }
        }
    }
}

/// Rows and columns of B in a block: at most 1 MB.
const BLOCK: (usize, usize) = (256, 1024);

lanes! {
    fn blocked(a: Laid, b: &[f32], c: &mut [f32], size: (usize, usize, usize)) {
        let (_, n, k) = size;
        c.fill(0.0);
        for left in (0..n).step_by(BLOCK.1) {
            let width = BLOCK.1.min(n - left);
            for top in (0..k).step_by(BLOCK.0) {
                for (i, c) in c.chunks_mut(n).enumerate() {
                    for p in top..k.min(top + BLOCK.0) {
                        let a = a.data[i * a.row + p * a.column];
                        add_row(a, &b[p * n + left..][..width], &mut c[left..][..width]);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn add_row(a: f32, b: &[f32], c: &mut [f32]) {
    for (c, b) in c.iter_mut().zip(b) {
        *c = a.mul_add(*b, *c);
    }
}

/// Rows of the register tile; it is two vectors of 16 lanes wide.
const ROWS: usize = 4;
const COLUMNS: usize = 2 * LANES;

lanes! {
    fn tiled(a: Laid, b: &[f32], c: &mut [f32], size: (usize, usize, usize)) {
        let (m, n, k) = size;
        for left in (0..n).step_by(COLUMNS) {
            let columns = COLUMNS.min(n - left);
            for top in (0..m).step_by(ROWS) {
                let rows = ROWS.min(m - top);
                if rows == ROWS && columns == COLUMNS {
                    tile::<Lanes>(a, &b[left..], &mut c[top * n + left..], (top, n, k));
                    continue;
                }
                for c in c.chunks_mut(n).skip(top).take(rows) {
                    c[left..][..columns].fill(0.0);
                }
                for (i, c) in c.chunks_mut(n).enumerate().skip(top).take(rows) {
                    for p in 0..k {
                        let a = a.data[i * a.row + p * a.column];
                        add_row(a, &b[p * n + left..][..columns], &mut c[left..][..columns]);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn tile<Lanes: Vector>(a: Laid, b: &[f32], c: &mut [f32], (top, n, k): (usize, usize, usize)) {
    let mut sums = [[Lanes::all(0.0); 2]; ROWS];
    for p in 0..k {
        let b = &b[p * n..][..COLUMNS];
        let b = [Lanes::load(b, 0.0), Lanes::load(&b[LANES..], 0.0)];
        for (r, sums) in sums.iter_mut().enumerate() {
            let a = Lanes::all(a.data[(top + r) * a.row + p * a.column]);
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = a.mul_add(b, *sum);
            }
        }
    }
    for (r, [left, right]) in sums.iter().enumerate() {
        left.store(&mut c[r * n..][..LANES]);
        right.store(&mut c[r * n + LANES..][..LANES]);
    }
}

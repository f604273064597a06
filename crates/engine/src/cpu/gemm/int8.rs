//! Products with 8-bit weights: y += x·wᵀ, where w and x are rounded to 8-bit integers in blocks of
//! 32 along k, each with its own scale.
//!
//! For one element of y, the integers of a block are multiplied and summed exactly; the sums, times
//! the product of both scales, are added by one chain of fused multiply-adds over the blocks in
//! ascending order. So the bits are the same on every path and for any number of rows.
//!
//! Weights are rounded as in llama.cpp's type q8_0 (ggml-quants.c), with scales in f16. They are
//! stored in panels of 32 columns (rows of w). A block of a panel has 32 scales, then its integers,
//! four adjacent in k for each column in turn. They are stored with 128 added: `vpdpbusd`
//! multiplies unsigned by signed bytes.

use super::{ChainStart, View};
use crate::cpu::arena::Patch;
use crate::cpu::lanes::{LANES, lanes};
use crate::cpu::machine::Isa;
use half::f16;

/// Numbers in a block.
pub const BLOCK: usize = 32;
/// Columns of a panel.
pub(crate) const COLUMNS: usize = 32;
/// Units of 4 bytes of a panel's block: scales, then integers.
const UNITS: usize = COLUMNS / 2 + COLUMNS * BLOCK / 4;
/// Units of a block of x: scale, −128 times the sum of its integers, integers.
const LEFT: usize = 2 + BLOCK / 4;
/// Maximum rows of x that are multiplied by a panel together, or panels by a row.
const TILES: usize = 4;

/// A block of weights rounded to 8 bits: scale and integers. `None` if the scale doesn't fit f16.
pub fn quantize(block: &[f32; BLOCK]) -> Option<(f16, [i8; BLOCK])> {
    let most = block.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
    let scale = most / 127.0;
    // Divided by the scale before it is rounded to f16, as llama.cpp does.
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let rounded = f16::from_f32(scale);
    rounded
        .is_finite()
        .then(|| (rounded, block.map(|x| (x * inverse).round() as i8)))
}

/// Units of a packed weight [out, in].
pub(crate) fn room([out, inner]: [usize; 2]) -> usize {
    out.div_ceil(COLUMNS) * inner.div_ceil(BLOCK) * UNITS
}

/// Packs w [out, in].
///
/// # Errors
/// The first number that is too large.
pub(crate) fn pack(w: &[f32], inner: usize, to: &mut [f32]) -> Result<(), f32> {
    let panels = to.chunks_mut(inner.div_ceil(BLOCK) * UNITS);
    for (panel, w) in panels.zip(w.chunks(COLUMNS * inner)) {
        for (at, units) in panel.chunks_mut(UNITS).enumerate() {
            // Columns and numbers past the end are 0.
            let mut scales = [0u32; COLUMNS / 2];
            let mut integers = [[0x8080_8080u32; COLUMNS]; BLOCK / 4];
            for (column, w) in w.chunks(inner).enumerate() {
                let mut block = [0.0; BLOCK];
                let own = &w[at * BLOCK..inner.min((at + 1) * BLOCK)];
                block[..own.len()].copy_from_slice(own);
                let largest = || {
                    own.iter()
                        .copied()
                        .fold(0.0, |a: f32, b| if b.abs() > a.abs() { b } else { a })
                };
                let (scale, rounded) = quantize(&block).ok_or_else(largest)?;
                scales[column / 2] |= u32::from(scale.to_bits()) << (column % 2 * 16);
                for (four, to) in rounded.as_chunks::<4>().0.iter().zip(&mut integers) {
                    to[column] = u32::from_le_bytes(four.map(|x| (x as u8).wrapping_add(128)));
                }
            }
            let all = scales.iter().chain(integers.as_flattened());
            units
                .iter_mut()
                .zip(all)
                .for_each(|(to, bits)| *to = f32::from_bits(*bits));
        }
    }
    Ok(())
}

/// Row `row` of a packed weight, as it was rounded.
pub(crate) fn row(units: &[f32], inner: usize, row: usize, to: &mut [f32]) {
    let panel = &units[row / COLUMNS * inner.div_ceil(BLOCK) * UNITS..];
    let column = row % COLUMNS;
    for (to, block) in to.chunks_mut(BLOCK).zip(panel.chunks(UNITS)) {
        let scale = scale(block, column);
        for (to, four) in to.chunks_mut(4).zip(block[COLUMNS / 2..].chunks(COLUMNS)) {
            let integers = four[column].to_bits().to_le_bytes();
            for (to, x) in to.iter_mut().zip(integers) {
                *to = scale * (f32::from(x) - 128.0);
            }
        }
    }
}

/// The scale of a column in a panel's block.
#[inline(always)]
fn scale(block: &[f32], column: usize) -> f32 {
    let both = block[column / 2].to_bits();
    f16::from_bits((both >> (column % 2 * 16)) as u16).to_f32()
}

lanes! {
    /// Rounds rows of x to 8 bits, each row's blocks together.
    fn quantize_rows(x: &[f32], to: &mut [f32]) {
        for (x, to) in x.chunks(BLOCK).zip(to.chunks_mut(LEFT)) {
            let halves = [x, x.get(LANES..).unwrap_or_default()].map(|x| Lanes::load(x, 0.0));
            let size = |x: Lanes| x.max(Lanes::all(0.0) - x);
            let most = size(halves[0]).max(size(halves[1])).greatest();
            let scale = most / 127.0;
            let inverse = Lanes::all(if scale == 0.0 { 0.0 } else { 1.0 / scale });
            // Near 1.5 · 2²³ the low bits of a number are an integer, rounded to the nearest.
            let near = Lanes::all(12_582_912.0);
            let mut sum = 0i32;
            for (half, to) in halves.into_iter().zip(to[2..].chunks_mut(LANES / 4)) {
                let integers = half.mul_add(inverse, near).to_array().map(|x| x.to_bits() as i8);
                sum += integers.iter().map(|&x| i32::from(x)).sum::<i32>();
                for (four, to) in integers.as_chunks::<4>().0.iter().zip(to) {
                    *to = f32::from_bits(u32::from_le_bytes(four.map(|x| x as u8)));
                }
            }
            (to[0], to[1]) = (scale, f32::from_bits((-128 * sum) as u32));
        }
    }
}

/// y = x·wᵀ, or y += x·wᵀ, for the rows and columns of a tile of y; its first column begins a
/// panel.
pub(crate) fn product(
    isa: Isa,
    x: View,
    units: &[f32],
    y: &mut Patch,
    start: ChainStart,
    scratch: &mut [f32],
) {
    let blocks = x.columns.div_ceil(BLOCK);
    let first = y.first_column / COLUMNS;
    let band = (scratch.len() / (blocks * LEFT)).min(BAND);
    assert!(band > 0, "a row of x doesn't fit the scratch memory");
    for top in (0..x.rows).step_by(band) {
        let height = band.min(x.rows - top);
        for (r, to) in scratch.chunks_mut(blocks * LEFT).take(height).enumerate() {
            quantize_rows(isa, x.line(top + r), to);
        }
        // One row takes the time of reading w: several streams are read faster than one.
        let (rows, panels) = if height == 1 { (1, TILES) } else { (TILES, 1) };
        for left in (0..y.columns).step_by(panels * COLUMNS) {
            let columns = (panels * COLUMNS).min(y.columns - left);
            let panels = columns.div_ceil(COLUMNS);
            let w = &units[(first + left / COLUMNS) * blocks * UNITS..][..panels * blocks * UNITS];
            for from in (0..height).step_by(rows) {
                let rows = rows.min(height - from);
                let x = &scratch[from * blocks * LEFT..][..rows * blocks * LEFT];
                let mut sums = [[0.0; COLUMNS]; TILES];
                let row_of = |r: usize| r * panels..(r + 1) * panels;
                if start == ChainStart::Held {
                    for r in 0..rows {
                        sums[row_of(r)].as_flattened_mut()[..columns]
                            .copy_from_slice(&y.row(top + from + r)[left..][..columns]);
                    }
                }
                tile(isa, (x, rows), (w, panels), &mut sums);
                for r in 0..rows {
                    y.row(top + from + r)[left..][..columns]
                        .copy_from_slice(&sums[row_of(r)].as_flattened()[..columns]);
                }
            }
        }
    }
}

/// Maximum rows of x that are rounded together.
const BAND: usize = 128;

/// Adds the products of rows of x and panels of w, one of which is one, to `sums`: the panels of
/// the first row, then those of the next.
fn tile(
    isa: Isa,
    (x, rows): (&[f32], usize),
    (w, panels): (&[f32], usize),
    sums: &mut [[f32; COLUMNS]; TILES],
) {
    #[cfg(target_arch = "x86_64")]
    if isa.level() == crate::cpu::machine::Level::Avx512 && is_x86_feature_detected!("avx512vnni") {
        let by_rows = [
            x86::tile::<1, 1>,
            x86::tile::<2, 1>,
            x86::tile::<3, 1>,
            x86::tile::<4, 1>,
        ];
        let by_panels = [x86::tile::<1, 2>, x86::tile::<1, 3>, x86::tile::<1, 4>];
        let kernel = match panels {
            1 => by_rows[rows - 1],
            _ => by_panels[panels - 2],
        };
        // SAFETY: the processor has the instructions.
        return unsafe { kernel(x, w, sums) };
    }
    let pairs = x
        .chunks(x.len() / rows)
        .flat_map(|x| w.chunks(w.len() / panels).map(move |w| (x, w)));
    for ((x, w), sums) in pairs.zip(sums) {
        one_row(isa, x, w, sums);
    }
}

lanes! {
    /// Adds the products of one row of x and a panel to `sums`.
    fn one_row(x: &[f32], panel: &[f32], sums: &mut [f32; COLUMNS]) {
        for (x, w) in x.as_chunks::<LEFT>().0.iter().zip(panel.chunks(UNITS)) {
            let mut integers = [x[1].to_bits() as i32; COLUMNS];
            for (x, w) in x[2..].iter().zip(w[COLUMNS / 2..].chunks(COLUMNS)) {
                let x = x.to_bits().to_le_bytes().map(|x| i32::from(x as i8));
                for (sum, w) in integers.iter_mut().zip(w) {
                    let w = w.to_bits();
                    for (at, x) in x.iter().enumerate() {
                        *sum += x * (w >> (8 * at) & 0xFF) as i32;
                    }
                }
            }
            for (column, (sum, integer)) in sums.iter_mut().zip(integers).enumerate() {
                *sum = (integer as f32).mul_add(scale(w, column) * x[0], *sum);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, COLUMNS, LEFT, TILES, UNITS};
    use crate::cpu::gemm::prefetch::prefetch_early;
    use std::arch::x86_64::*;

    /// Units of a panel that are prefetched ahead: 4 KB.
    const AHEAD: usize = 1024;

    /// # Safety
    /// AVX-512 with VNNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub unsafe fn tile<const ROWS: usize, const PANELS: usize>(
        x: &[f32],
        w: &[f32],
        sums: &mut [[f32; COLUMNS]; TILES],
    ) {
        let panel = w.len() / PANELS;
        let blocks = panel / UNITS;
        assert!(
            w.len() == PANELS * blocks * UNITS && x.len() == ROWS * blocks * LEFT,
            "operands differ"
        );
        // SAFETY: every address lies inside the slices: `blocks` blocks of each operand.
        unsafe {
            let (x, w) = (x.as_ptr(), w.as_ptr());
            let mut acc: [[[__m512; 2]; PANELS]; ROWS] = std::array::from_fn(|r| {
                std::array::from_fn(|p| {
                    let sums = sums[r * PANELS + p].as_ptr();
                    [_mm512_loadu_ps(sums), _mm512_loadu_ps(sums.add(16))]
                })
            });
            for block in 0..blocks {
                let x: [*const f32; ROWS] =
                    std::array::from_fn(|r| x.add((r * blocks + block) * LEFT));
                let w: [*const f32; PANELS] =
                    std::array::from_fn(|p| w.add(p * panel + block * UNITS));
                let mut integers: [[[__m512i; 2]; PANELS]; ROWS] = std::array::from_fn(|r| {
                    [[_mm512_set1_epi32(x[r].add(1).cast::<i32>().read()); 2]; PANELS]
                });
                for four in 0..BLOCK / 4 {
                    let x = x.map(|x| _mm512_set1_epi32(x.add(2 + four).cast::<i32>().read()));
                    for (p, w) in w.iter().enumerate() {
                        let w = w.add(COLUMNS / 2 + four * COLUMNS);
                        prefetch_early(w.wrapping_add(AHEAD), COLUMNS);
                        let w = [0, 16].map(|at| _mm512_loadu_si512(w.add(at).cast()));
                        for (integers, x) in integers.iter_mut().zip(x) {
                            for (integers, w) in integers[p].iter_mut().zip(w) {
                                *integers = _mm512_dpbusd_epi32(*integers, w, x);
                            }
                        }
                    }
                }
                for (p, w) in w.iter().enumerate() {
                    let scales =
                        [0, 8].map(|at| _mm512_cvtph_ps(_mm256_loadu_si256(w.add(at).cast())));
                    for ((acc, integers), x) in acc.iter_mut().zip(integers).zip(x) {
                        let scale = _mm512_set1_ps(*x);
                        for ((acc, integers), w) in acc[p].iter_mut().zip(integers[p]).zip(scales) {
                            let scale = _mm512_mul_ps(w, scale);
                            *acc = _mm512_fmadd_ps(_mm512_cvtepi32_ps(integers), scale, *acc);
                        }
                    }
                }
            }
            for (acc, sums) in acc.as_flattened().iter().zip(sums) {
                _mm512_storeu_ps(sums.as_mut_ptr(), acc[0]);
                _mm512_storeu_ps(sums.as_mut_ptr().add(16), acc[1]);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The definition at the top of this file, number by number.
    pub fn exact(x: &[f32], w: &[f32], [_, inner]: [usize; 2], begin: f32) -> Vec<f32> {
        let block = |x: &[f32]| -> [f32; BLOCK] {
            std::array::from_fn(|i| x.get(i).copied().unwrap_or(0.0))
        };
        let mut y = Vec::new();
        for (x, w) in x
            .chunks(inner)
            .flat_map(|x| w.chunks(inner).map(move |w| (x, w)))
        {
            let blocks = x.chunks(BLOCK).zip(w.chunks(BLOCK));
            y.push(blocks.fold(begin, |sum, (x, w)| {
                let (w_scale, w) = quantize(&block(w)).unwrap();
                let most = x.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
                let x_scale = most / 127.0;
                let inverse = if x_scale == 0.0 { 0.0 } else { 1.0 / x_scale };
                let products = block(x).into_iter().zip(w).map(|(x, w)| {
                    let x = (f64::from(x) * f64::from(inverse)).round_ties_even();
                    x as i32 * i32::from(w)
                });
                (products.sum::<i32>() as f32).mul_add(w_scale.to_f32() * x_scale, sum)
            }));
        }
        y
    }

    #[test]
    fn a_block_keeps_its_largest_value_and_no_scale_overflows() {
        let block: [f32; BLOCK] = std::array::from_fn(|i| i as f32 - 20.0);
        let (scale, integers) = quantize(&block).unwrap();
        assert_eq!(integers[0], -127, "-20 is the largest");
        for (x, integer) in block.iter().zip(integers) {
            assert!((x - scale.to_f32() * f32::from(integer)).abs() <= 0.51 * scale.to_f32());
        }
        assert_eq!(quantize(&[0.0; BLOCK]), Some((f16::ZERO, [0; BLOCK])));
        assert_eq!(quantize(&[9e6; BLOCK]), None);
        assert_eq!(pack(&[1.0, -9e6], 2, &mut [0.0; UNITS]), Err(-9e6));
    }
}

//! How does every processor compute the same bits? All arithmetic except matrix products is
//! written on 16 lanes, whatever the vector width: AVX-512 takes them at once, AVX2 in two halves.
//! Sums run over the lanes in a fixed order; exp, tanh, log and rsqrt are our own formulas.
//!
//! Lanes use each processor's intrinsics (`x86`), since autovectorization doesn't reliably find the
//! intended vectors (EXPERIMENTS.md).

mod plain;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use plain::Plain;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

use std::ops::{Add, Div, Mul, Sub};

/// Number of lanes.
pub const LANES: usize = 16;

/// Bits of 1.5 · 2²³: a number near it holds an integer in its low bits. The lowest nine are 0.
const ROUND_BITS: u32 = 12_582_912.0_f32.to_bits();

/// Bits of √½.
const ROOT_BITS: u32 = 0x3F35_04F3;

/// Compiles a function once per instruction set and dispatches at run time on its first argument.
/// Inside, `Lanes` is the [`Vector`](crate::cpu::lanes::Vector) of that instruction set.
macro_rules! lanes {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code, clippy::too_many_arguments)]
        $vis fn $name(isa: $crate::cpu::machine::Isa, $($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::extra_unused_type_parameters)]
            fn body<Lanes: $crate::cpu::lanes::Vector>($($arg: $type),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) $(-> $ret)? { body::<$crate::cpu::lanes::Avx2>($($arg),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512($($arg: $type),*) $(-> $ret)? { body::<$crate::cpu::lanes::Avx512>($($arg),*) }
            match isa.level() {
                // SAFETY: such an `Isa` exists only where the processor has the instructions.
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::machine::Level::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::machine::Level::Avx2 => unsafe { avx2($($arg),*) },
                _ => body::<$crate::cpu::lanes::Plain>($($arg),*),
            }
        }
    };
}
pub(crate) use lanes;

/// A vector of 16 numbers.
pub trait Vector:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// From an array.
    fn from_array(x: [f32; LANES]) -> Self;
    /// To an array.
    fn to_array(self) -> [f32; LANES];
    /// The same number in every lane.
    fn all(x: f32) -> Self;
    /// Up to 15 numbers of a slice, then `fill`.
    fn load_part(x: &[f32], fill: f32) -> Self;
    /// self · b + c, rounded once.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The greater of two; `b` if either is NaN.
    fn max(self, b: Self) -> Self;
    /// The lesser of two; `b` if either is NaN.
    fn min(self, b: Self) -> Self;
    /// √self, rounded once.
    fn sqrt(self) -> Self;
    /// `yes` in lanes where self < bound, else `no`.
    fn below(self, bound: Self, yes: Self, no: Self) -> Self;
    /// These magnitudes with the signs of `x`.
    fn with_sign(self, x: Self) -> Self;
    /// self · 2ⁿ for `shifted` = 1.5 · 2²³ + n, if both are normal numbers.
    fn scaled(self, shifted: Self) -> Self;
    /// e and m such that self = 2ᵉ·m with m in [√½, √2), for normal positive numbers.
    fn split(self) -> (Self, Self);
    /// The sum over the lanes: halves, then quarters, … are added, always in this order.
    fn sum(self) -> f32;
    /// The greatest lane.
    fn greatest(self) -> f32;

    /// The first lane.
    #[inline(always)]
    fn first(self) -> f32 {
        self.to_array()[0]
    }

    /// The first 16 numbers of a slice, padded with `fill`.
    #[inline(always)]
    fn load(x: &[f32], fill: f32) -> Self {
        match x.first_chunk::<LANES>() {
            Some(chunk) => Self::from_array(*chunk),
            None => Self::load_part(x, fill),
        }
    }

    /// Writes as many lanes as the slice has room for.
    #[inline(always)]
    fn store(self, y: &mut [f32]) {
        match y.first_chunk_mut::<LANES>() {
            Some(chunk) => *chunk = self.to_array(),
            None => y.copy_from_slice(&self.to_array()[..y.len()]),
        }
    }

    /// eˣ. Results below the smallest normal number (x < −87.34) are 0, results above the largest
    /// (x > 88.72) are infinite; NaN stays NaN.
    ///
    /// x = n·ln 2 + r with |r| ≤ ln 2 / 2; eʳ by its Taylor polynomial of degree 7.
    #[inline(always)]
    fn exp(self) -> Self {
        let all = Self::all;
        // The smallest and the largest x for which eˣ is a normal number.
        const MOST: f32 = 88.722_83;
        let (least, most) = (all(-87.336_54), all(MOST));
        // Adding this leaves the nearest integer in the low bits.
        let round = all(f32::from_bits(ROUND_BITS));
        let x = most.min(least.max(self));
        let shifted = x.mul_add(all(std::f32::consts::LOG2_E), round);
        let n = shifted - round;
        // ln 2 in two parts; the first has few enough bits that n · high is exact.
        let r = n.mul_add(all(-0.693_359_4), x);
        let r = n.mul_add(all(2.121_944_4e-4), r);
        let p = all(1.984_126_9e-4);
        let p = p.mul_add(r, all(1.388_888_9e-3));
        let p = p.mul_add(r, all(8.333_334e-3));
        let p = p.mul_add(r, all(4.166_666_7e-2));
        let p = p.mul_add(r, all(0.166_666_67));
        let p = p.mul_add(r, all(0.5));
        let p = (p * r).mul_add(r, r) + all(1.0);
        let y = self.below(least, all(0.0), p.scaled(shifted));
        // For larger x: infinity; for NaN: NaN.
        self.below(all(MOST.next_up()), y, self + all(f32::INFINITY))
    }

    /// tanh x: near 0 an odd polynomial (Taylor, to the 11th power), elsewhere 1 − 2 / (e²ˣ + 1).
    #[inline(always)]
    fn tanh(self) -> Self {
        let all = Self::all;
        let one = all(1.0);
        let a = self.with_sign(one);
        let far = one - all(2.0) / ((a + a).exp() + one);
        let z = self * self;
        let p = all(-8.863_235e-3);
        let p = p.mul_add(z, all(2.186_949e-2));
        let p = p.mul_add(z, all(-5.396_825_4e-2));
        let p = p.mul_add(z, all(0.133_333_34));
        let p = p.mul_add(z, all(-0.333_333_34));
        let near = (p * z).mul_add(a, a);
        a.below(all(0.4), near, far).with_sign(self)
    }

    /// ln x for normal x > 0; infinity and NaN are unchanged.
    ///
    /// x = 2ᵉ·m with m in [√½, √2); ln m = 2·artanh((m − 1) / (m + 1)) by its series.
    #[inline(always)]
    fn log(self) -> Self {
        let all = Self::all;
        let (e, m) = self.split();
        let s = (m - all(1.0)) / (m + all(1.0));
        let z = s * s;
        let p = all(0.111_111_11);
        let p = p.mul_add(z, all(0.142_857_15));
        let p = p.mul_add(z, all(0.2));
        let p = p.mul_add(z, all(0.333_333_34));
        let tail = (p * z).mul_add(s, s) * all(2.0);
        let y = e.mul_add(all(0.693_359_4), e.mul_add(all(-2.121_944_4e-4), tail));
        self.below(all(f32::INFINITY), y, self)
    }

    /// 1 / √x: a square root and a division, each rounded once.
    #[inline(always)]
    fn rsqrt(self) -> Self {
        Self::all(1.0) / self.sqrt()
    }
}

/// A plain loop: `array::from_fn` is not always inlined, and code that isn't inlined is compiled
/// for the baseline instruction set.
#[inline(always)]
pub fn each<const N: usize>(f: impl Fn(usize) -> f32) -> [f32; N] {
    let mut y = [0.0; N];
    for (i, y) in y.iter_mut().enumerate() {
        *y = f(i);
    }
    y
}

/// Sum of f(chunk) over a slice, 16 numbers at a time; the last chunk is padded with `fill`.
#[inline(always)]
pub fn sum_by<Lanes: Vector>(x: &[f32], fill: f32, f: impl Fn(Lanes) -> Lanes) -> f32 {
    let mut total = Lanes::all(0.0);
    for chunk in x.chunks(LANES) {
        total = total + f(Lanes::load(chunk, fill));
    }
    total.sum()
}

impl crate::write::Write {
    /// Sets up to 16 numbers of a gradient, or adds to them.
    #[inline(always)]
    pub fn to(self, dx: &mut [f32], d: impl Vector) {
        match self {
            crate::write::Write::Set | crate::write::Write::Over => d.store(dx),
            crate::write::Write::Add => add_to(dx, d),
        }
    }

    /// The initial value of a sum that is written to a gradient.
    #[inline(always)]
    pub fn start<Lanes: Vector>(self, dx: &[f32]) -> Lanes {
        match self {
            crate::write::Write::Set | crate::write::Write::Over => Lanes::all(0.0),
            crate::write::Write::Add => Lanes::load(dx, 0.0),
        }
    }
}

#[inline(always)]
fn add_to<Lanes: Vector>(dx: &mut [f32], d: Lanes) {
    (Lanes::load(dx, 0.0) + d).store(dx);
}

/// The nearest bf16 number, ties to even: its 16 bits are the upper half, the lower half is 0. NaN
/// stays NaN.
#[inline(always)]
pub fn round_to_bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    let even = bits >> 16 & 1;
    let rounded = bits.wrapping_add(0x7FFF + even);
    let rounded = if x.is_nan() {
        bits | 0x40_0000
    } else {
        rounded
    };
    rounded & 0xFFFF_0000
}

lanes! {
    /// Σ x over the lanes in order.
    pub fn total(x: &[f32]) -> f32 {
        sum_by(x, 0.0, |x: Lanes| x)
    }
}

/// Σ a·b, 16 lanes of fused multiply-adds.
#[inline(always)]
pub fn dot<Lanes: Vector>(a: &[f32], b: &[f32]) -> f32 {
    let mut total = Lanes::all(0.0);
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        total = Lanes::load(a, 0.0).mul_add(Lanes::load(b, 0.0), total);
    }
    total.sum()
}

/// log Σ exp(x), and the largest x subtracted before each exponential, so that none overflows.
#[inline(always)]
pub fn log_sum_exp<Lanes: Vector>(x: &[f32]) -> f32 {
    let mut most = Lanes::all(f32::NEG_INFINITY);
    for x in x.chunks(LANES) {
        most = most.max(Lanes::load(x, f32::NEG_INFINITY));
    }
    let most = most.greatest();
    let shift = Lanes::all(most);
    // Not `sum_by`: a closure with an exponential isn't inlined, and then it is compiled for the
    // baseline instruction set.
    let mut sum = Lanes::all(0.0);
    for x in x.chunks(LANES) {
        sum = sum + (Lanes::load(x, f32::NEG_INFINITY) - shift).exp();
    }
    most + Lanes::all(sum.sum()).log().first()
}

/// Rows of a band such that a tile of an elementwise operation has about 16,384 numbers. Depends on
/// the shape alone.
pub fn band(width: usize) -> usize {
    (16_384 / width.max(1)).max(1)
}

//! How do the same bits come out of every processor? All arithmetic that isn't a matrix product is
//! written on 16 lanes, whatever the vector width: AVX-512 takes them at once, AVX2 in two halves.
//! Sums run over the lanes in a fixed order; exp, tanh and log are our own polynomials.

/// Number of lanes.
pub const LANES: usize = 16;

/// Compiles a function once per instruction set, choosing at run time by its first argument.
macro_rules! lanes {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code, clippy::too_many_arguments)]
        $vis fn $name(isa: $crate::machine::Isa, $($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            fn body($($arg: $type),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) $(-> $ret)? { body($($arg),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512($($arg: $type),*) $(-> $ret)? { body($($arg),*) }
            match isa {
                // SAFETY: `Isa::available` names only what this processor has.
                #[cfg(target_arch = "x86_64")]
                $crate::machine::Isa::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::machine::Isa::Avx2 => unsafe { avx2($($arg),*) },
                _ => body($($arg),*),
            }
        }
    };
}
pub(crate) use lanes;

/// 16 numbers that are worked on together.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub struct Lanes(pub [f32; LANES]);

/// Lane by lane. A plain loop, since `array::from_fn` is not always inlined, and what is not
/// inlined is compiled for the lowest instruction set.
#[inline(always)]
pub fn each<const N: usize>(f: impl Fn(usize) -> f32) -> [f32; N] {
    let mut y = [0.0; N];
    for (i, y) in y.iter_mut().enumerate() {
        *y = f(i);
    }
    y
}

macro_rules! operator {
    ($trait:ident, $name:ident, $op:tt) => {
        impl std::ops::$trait for Lanes {
            type Output = Lanes;
            #[inline(always)]
            fn $name(self, other: Lanes) -> Lanes {
                Lanes(each(|i| self.0[i] $op other.0[i]))
            }
        }
    };
}
operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);

impl Lanes {
    /// The same number in every lane.
    #[inline(always)]
    pub fn all(x: f32) -> Lanes {
        Lanes([x; LANES])
    }

    /// The first 16 numbers of a slice; `fill` where it is shorter.
    #[inline(always)]
    pub fn load(x: &[f32], fill: f32) -> Lanes {
        match x.first_chunk::<LANES>() {
            Some(chunk) => Lanes(*chunk),
            None => Lanes(each(|i| x.get(i).copied().unwrap_or(fill))),
        }
    }

    /// Writes as many lanes as the slice has room for.
    #[inline(always)]
    pub fn store(self, y: &mut [f32]) {
        match y.first_chunk_mut::<LANES>() {
            Some(chunk) => *chunk = self.0,
            None => y.iter_mut().zip(self.0).for_each(|(y, x)| *y = x),
        }
    }

    /// self · b + c, rounded once.
    #[inline(always)]
    pub fn mul_add(self, b: Lanes, c: Lanes) -> Lanes {
        Lanes(each(|i| self.0[i].mul_add(b.0[i], c.0[i])))
    }

    /// The greater of two, lane by lane.
    #[inline(always)]
    pub fn max(self, b: Lanes) -> Lanes {
        Lanes(each(|i| {
            if self.0[i] > b.0[i] {
                self.0[i]
            } else {
                b.0[i]
            }
        }))
    }

    /// The lanes, written to memory. Without this the compiler sees the shape of the tree that takes
    /// lanes together, and splits the loop before it into narrow vectors of that shape.
    #[inline(always)]
    fn in_memory(self) -> [f32; LANES] {
        std::hint::black_box(self).0
    }

    /// The sum over the lanes: halves, quarters, … are added, always in this order.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let x = self.in_memory();
        let a: [f32; 8] = each(|i| x[i] + x[i + 8]);
        let b: [f32; 4] = each(|i| a[i] + a[i + 4]);
        (b[0] + b[2]) + (b[1] + b[3])
    }

    /// The greatest lane.
    #[inline(always)]
    pub fn greatest(self) -> f32 {
        let most = |a: f32, b: f32| if a > b { a } else { b };
        let x = self.in_memory();
        let a: [f32; 8] = each(|i| most(x[i], x[i + 8]));
        let b: [f32; 4] = each(|i| most(a[i], a[i + 4]));
        most(most(b[0], b[2]), most(b[1], b[3]))
    }

    /// eˣ. What would be below the smallest normal number (x < −87.34) is 0, what would be above the
    /// greatest (x > 88.72) infinite; NaN stays NaN.
    ///
    /// x = n·ln 2 + r with |r| ≤ ln 2 / 2; eʳ by its Taylor polynomial of degree 7.
    #[inline(always)]
    pub fn exp(self) -> Lanes {
        Lanes(each(|i| exp(self.0[i])))
    }

    /// tanh x.
    #[inline(always)]
    pub fn tanh(self) -> Lanes {
        Lanes(each(|i| tanh(self.0[i])))
    }
}

/// eˣ of one lane: see [`Lanes::exp`].
#[inline(always)]
fn exp(x: f32) -> f32 {
    // The least and the greatest x whose eˣ is a normal number.
    const LEAST: f32 = -87.336_54;
    const MOST: f32 = 88.722_83;
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³: adding it leaves the nearest integer in the low bits
    let c = if x < LEAST { LEAST } else { x };
    let c = if c > MOST { MOST } else { c };
    let shifted = c.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, the first with few enough bits that n · high is exact.
    let r = n.mul_add(-0.693_359_4, c);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.984_126_9e-4_f32;
    let p = p.mul_add(r, 1.388_888_9e-3);
    let p = p.mul_add(r, 8.333_334e-3);
    let p = p.mul_add(r, 4.166_666_7e-2);
    let p = p.mul_add(r, 0.166_666_67);
    let p = p.mul_add(r, 0.5);
    let p = (p * r).mul_add(r, r) + 1.0;
    // 2ⁿ in two factors, so that n = 128 does not overflow before the product does.
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    let y = p * power(half) * power(n.wrapping_sub(half));
    let y = if x < LEAST { 0.0 } else { y };
    let y = if x > MOST { f32::INFINITY } else { y };
    if x.is_nan() { x } else { y }
}

/// tanh x of one lane: near 0 an odd polynomial (Taylor, to the 11th power), elsewhere
/// 1 − 2 / (e²ˣ + 1).
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let far = 1.0 - 2.0 / (exp(a + a) + 1.0);
    let z = x * x;
    let p = -8.863_235e-3_f32;
    let p = p.mul_add(z, 2.186_949e-2);
    let p = p.mul_add(z, -5.396_825_4e-2);
    let p = p.mul_add(z, 0.133_333_34);
    let p = p.mul_add(z, -0.333_333_34);
    let near = (p * z).mul_add(a, a);
    let y = if a < 0.4 { near } else { far };
    let y = y.copysign(x);
    if x.is_nan() { x } else { y }
}

/// ln x for normal x > 0; infinity and NaN stay what they are. Used once a row, of a sum that is at
/// least 1.
///
/// x = 2ᵉ·m with m in [√½, √2); ln m = 2·artanh((m − 1) / (m + 1)) by its series.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    let bits = x.to_bits();
    let e = ((bits.wrapping_sub(0x3F35_04F3) as i32) >> 23) as f32;
    let m = f32::from_bits(bits.wrapping_sub(((e as i32) << 23) as u32));
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let p = 0.111_111_11_f32;
    let p = p.mul_add(z, 0.142_857_15);
    let p = p.mul_add(z, 0.2);
    let p = p.mul_add(z, 0.333_333_34);
    let tail = (p * z).mul_add(s, s) * 2.0;
    let y = e.mul_add(0.693_359_4, e.mul_add(-2.121_944_4e-4, tail));
    if x.is_finite() { y } else { x }
}

/// Sum of f(chunk) over a slice, 16 numbers at a time; `fill` stands in for what is missing at
/// the end.
#[inline(always)]
pub fn sum_by(x: &[f32], fill: f32, f: impl Fn(Lanes) -> Lanes) -> f32 {
    let mut total = Lanes::all(0.0);
    for chunk in x.chunks(LANES) {
        total = total + f(Lanes::load(chunk, fill));
    }
    total.sum()
}

impl crate::op::Write {
    /// Sets up to 16 numbers of a gradient, or adds to them.
    #[inline(always)]
    pub fn to(self, dx: &mut [f32], d: Lanes) {
        match self {
            crate::op::Write::Set => d.store(dx),
            crate::op::Write::Add => (Lanes::load(dx, 0.0) + d).store(dx),
        }
    }

    /// What a sum that ends in a gradient starts from.
    #[inline(always)]
    pub fn start(self, dx: &[f32]) -> Lanes {
        match self {
            crate::op::Write::Set => Lanes::all(0.0),
            crate::op::Write::Add => Lanes::load(dx, 0.0),
        }
    }
}

/// The nearest bf16 number, of two equally near the even one: its 16 bits are the upper half, the
/// lower is 0. NaN stays NaN.
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
        sum_by(x, 0.0, |x| x)
    }
}

/// Σ a·b, 16 lanes of fused multiply-adds.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut total = Lanes::all(0.0);
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        total = Lanes::load(a, 0.0).mul_add(Lanes::load(b, 0.0), total);
    }
    total.sum()
}

/// Rows of a band, so that a tile of an elementwise operation is about 16,384 numbers: a constant
/// of the shape.
pub fn band(width: usize) -> usize {
    (16_384 / width.max(1)).max(1)
}

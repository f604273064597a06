//! 16 lanes in plain Rust, for processors without kernels of their own.

use super::{LANES, Vector, each};

/// An array.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub struct Plain([f32; LANES]);

macro_rules! operator {
    ($trait:ident, $name:ident, $op:tt) => {
        impl std::ops::$trait for Plain {
            type Output = Plain;
            #[inline(always)]
            fn $name(self, b: Plain) -> Plain {
                Plain(each(|i| self.0[i] $op b.0[i]))
            }
        }
    };
}
operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);

impl Plain {
    /// Per lane, `a` if the condition holds, else `b`.
    #[inline(always)]
    fn choose(taken: impl Fn(usize) -> bool, a: Plain, b: Plain) -> Plain {
        Plain(each(|i| if taken(i) { a.0[i] } else { b.0[i] }))
    }

    /// Reduces the lanes with f: halves, then quarters, …
    #[inline(always)]
    fn fold(self, f: impl Fn(f32, f32) -> f32) -> f32 {
        let x = self.0;
        let a: [f32; 8] = each(|i| f(x[i], x[i + 8]));
        let b: [f32; 4] = each(|i| f(a[i], a[i + 4]));
        f(f(b[0], b[2]), f(b[1], b[3]))
    }
}

impl Vector for Plain {
    #[inline(always)]
    fn from_array(x: [f32; LANES]) -> Plain {
        Plain(x)
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        self.0
    }

    #[inline(always)]
    fn all(x: f32) -> Plain {
        Plain([x; LANES])
    }

    #[inline(always)]
    fn load_part(x: &[f32], fill: f32) -> Plain {
        Plain(each(|i| x.get(i).copied().unwrap_or(fill)))
    }

    #[inline(always)]
    fn mul_add(self, b: Plain, c: Plain) -> Plain {
        Plain(each(|i| self.0[i].mul_add(b.0[i], c.0[i])))
    }

    #[inline(always)]
    fn max(self, b: Plain) -> Plain {
        Plain::choose(|i| self.0[i] > b.0[i], self, b)
    }

    #[inline(always)]
    fn min(self, b: Plain) -> Plain {
        Plain::choose(|i| self.0[i] < b.0[i], self, b)
    }

    #[inline(always)]
    fn sqrt(self) -> Plain {
        Plain(each(|i| self.0[i].sqrt()))
    }

    #[inline(always)]
    fn below(self, bound: Plain, yes: Plain, no: Plain) -> Plain {
        Plain::choose(|i| self.0[i] < bound.0[i], yes, no)
    }

    #[inline(always)]
    fn with_sign(self, x: Plain) -> Plain {
        Plain(each(|i| self.0[i].copysign(x.0[i])))
    }

    #[inline(always)]
    fn scaled(self, shifted: Plain) -> Plain {
        let n = |i: usize| shifted.0[i].to_bits() << 23;
        let scaled = |i: usize| self.0[i].to_bits().wrapping_add(n(i));
        Plain(each(|i| f32::from_bits(scaled(i))))
    }

    #[inline(always)]
    fn split(self) -> (Plain, Plain) {
        let e = |i: usize| self.0[i].to_bits().wrapping_sub(super::ROOT_BITS) as i32 >> 23;
        let m = |i: usize| self.0[i].to_bits().wrapping_sub((e(i) << 23) as u32);
        (
            Plain(each(|i| e(i) as f32)),
            Plain(each(|i| f32::from_bits(m(i)))),
        )
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        self.fold(|a, b| a + b)
    }

    #[inline(always)]
    fn greatest(self) -> f32 {
        self.fold(|a, b| if a > b { a } else { b })
    }
}

//! 16 lanes of x86: one register of AVX-512, two of AVX2.
//!
//! Values of these types are made only in functions that `lanes!` compiled for their instruction
//! set and that it calls only if the processor has it. Every method is inlined into such a
//! function, so every instruction used by an `unsafe` below is available.

use super::{LANES, ROOT_BITS, Vector};
use std::arch::x86_64::*;

/// A register of AVX-512.
#[derive(Clone, Copy)]
pub struct Avx512(__m512);

/// Two registers of AVX2: lanes 0 … 7 and 8 … 15.
#[derive(Clone, Copy)]
pub struct Avx2([__m256; 2]);

macro_rules! operators {
    ($($trait:ident $name:ident $wide:ident $narrow:ident),*) => {
        $(
            impl std::ops::$trait for Avx512 {
                type Output = Avx512;
                #[inline(always)]
                fn $name(self, b: Avx512) -> Avx512 {
                    // SAFETY: see the top of the file.
                    Avx512(unsafe { $wide(self.0, b.0) })
                }
            }

            impl std::ops::$trait for Avx2 {
                type Output = Avx2;
                #[inline(always)]
                fn $name(self, b: Avx2) -> Avx2 {
                    // SAFETY: see the top of the file.
                    unsafe { Avx2([$narrow(self.0[0], b.0[0]), $narrow(self.0[1], b.0[1])]) }
                }
            }
        )*
    };
}
operators! {
    Add add _mm512_add_ps _mm256_add_ps,
    Sub sub _mm512_sub_ps _mm256_sub_ps,
    Mul mul _mm512_mul_ps _mm256_mul_ps,
    Div div _mm512_div_ps _mm256_div_ps
}

/// Methods of one or a few instructions.
macro_rules! methods {
    ($($name:ident($($arg:ident),*) -> $ret:ty $body:block)*) => {
        $(
            #[inline(always)]
            fn $name($($arg: Self),*) -> $ret {
                // SAFETY: see the top of the file.
                unsafe { $body }
            }
        )*
    };
}

/// Computes an expression for each half; not a closure, which might not be inlined.
macro_rules! halves {
    ($half:ident: $value:expr) => {
        Avx2([
            {
                let $half = 0;
                $value
            },
            {
                let $half = 1;
                $value
            },
        ])
    };
}

/// Reduces the lanes: halves, then quarters, …, starting from two halves.
macro_rules! fold {
    ($low:expr, $high:expr, $eight:ident, $four:ident, $one:ident) => {{
        let a = $eight($low, $high);
        let b = $four(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
        let c = $four(b, _mm_movehl_ps(b, b));
        _mm_cvtss_f32($one(c, _mm_shuffle_ps::<1>(c, c)))
    }};
}

impl Vector for Avx512 {
    #[inline(always)]
    fn from_array(x: [f32; LANES]) -> Avx512 {
        // SAFETY: see the top of the file; the array has 16 numbers.
        Avx512(unsafe { _mm512_loadu_ps(x.as_ptr()) })
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut y = [0.0; LANES];
        // SAFETY: see the top of the file; the array has 16 numbers.
        unsafe { _mm512_storeu_ps(y.as_mut_ptr(), self.0) };
        y
    }

    #[inline(always)]
    fn all(x: f32) -> Avx512 {
        // SAFETY: see the top of the file.
        Avx512(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    fn load_part(x: &[f32], fill: f32) -> Avx512 {
        let mask = (1u16 << x.len().min(LANES - 1)) - 1;
        // SAFETY: see the top of the file; lanes past the end of the slice are not read.
        Avx512(unsafe { _mm512_mask_loadu_ps(_mm512_set1_ps(fill), mask, x.as_ptr()) })
    }

    methods! {
        mul_add(self, b, c) -> Self { Avx512(_mm512_fmadd_ps(self.0, b.0, c.0)) }
        max(self, b) -> Self { Avx512(_mm512_max_ps(self.0, b.0)) }
        min(self, b) -> Self { Avx512(_mm512_min_ps(self.0, b.0)) }
        sqrt(self) -> Self { Avx512(_mm512_sqrt_ps(self.0)) }
        below(self, bound, yes, no) -> Self {
            let mask = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, bound.0);
            Avx512(_mm512_mask_blend_ps(mask, no.0, yes.0))
        }
        with_sign(self, x) -> Self {
            let sign = _mm512_set1_epi32(i32::MIN);
            let (a, x) = (_mm512_castps_si512(self.0), _mm512_castps_si512(x.0));
            let (a, x) = (_mm512_andnot_si512(sign, a), _mm512_and_si512(sign, x));
            Avx512(_mm512_castsi512_ps(_mm512_or_si512(a, x)))
        }
        scaled(self, shifted) -> Self {
            let n = _mm512_slli_epi32::<23>(_mm512_castps_si512(shifted.0));
            Avx512(_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(self.0), n)))
        }
        split(self) -> (Self, Self) {
            let bits = _mm512_castps_si512(self.0);
            let above = _mm512_sub_epi32(bits, _mm512_set1_epi32(ROOT_BITS as i32));
            let e = _mm512_srai_epi32::<23>(above);
            let m = _mm512_sub_epi32(bits, _mm512_slli_epi32::<23>(e));
            (Avx512(_mm512_cvtepi32_ps(e)), Avx512(_mm512_castsi512_ps(m)))
        }
        sum(self) -> f32 {
            let (low, high) = (_mm512_castps512_ps256(self.0), _mm512_extractf32x8_ps::<1>(self.0));
            fold!(low, high, _mm256_add_ps, _mm_add_ps, _mm_add_ss)
        }
        greatest(self) -> f32 {
            let (low, high) = (_mm512_castps512_ps256(self.0), _mm512_extractf32x8_ps::<1>(self.0));
            fold!(low, high, _mm256_max_ps, _mm_max_ps, _mm_max_ss)
        }
    }
}

impl Vector for Avx2 {
    #[inline(always)]
    fn from_array(x: [f32; LANES]) -> Avx2 {
        // SAFETY: see the top of the file; the array has 16 numbers.
        unsafe { halves!(h: _mm256_loadu_ps(x.as_ptr().add(8 * h))) }
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut y = [0.0; LANES];
        // SAFETY: see the top of the file; the array has 16 numbers.
        unsafe {
            _mm256_storeu_ps(y.as_mut_ptr(), self.0[0]);
            _mm256_storeu_ps(y.as_mut_ptr().add(8), self.0[1]);
        }
        y
    }

    #[inline(always)]
    fn all(x: f32) -> Avx2 {
        // SAFETY: see the top of the file.
        Avx2([unsafe { _mm256_set1_ps(x) }; 2])
    }

    #[inline(always)]
    fn load_part(x: &[f32], fill: f32) -> Avx2 {
        let mut part = [fill; LANES];
        part[..x.len()].copy_from_slice(x);
        Avx2::from_array(part)
    }

    methods! {
        mul_add(self, b, c) -> Self {
            halves!(h: _mm256_fmadd_ps(self.0[h], b.0[h], c.0[h]))
        }
        max(self, b) -> Self { halves!(h: _mm256_max_ps(self.0[h], b.0[h])) }
        min(self, b) -> Self { halves!(h: _mm256_min_ps(self.0[h], b.0[h])) }
        sqrt(self) -> Self { halves!(h: _mm256_sqrt_ps(self.0[h])) }
        below(self, bound, yes, no) -> Self {
            halves!(h: {
                let mask = _mm256_cmp_ps::<_CMP_LT_OQ>(self.0[h], bound.0[h]);
                _mm256_blendv_ps(no.0[h], yes.0[h], mask)
            })
        }
        with_sign(self, x) -> Self {
            let sign = _mm256_set1_ps(-0.0);
            halves!(h: {
                let (a, x) = (_mm256_andnot_ps(sign, self.0[h]), _mm256_and_ps(sign, x.0[h]));
                _mm256_or_ps(a, x)
            })
        }
        scaled(self, shifted) -> Self {
            halves!(h: {
                let n = _mm256_slli_epi32::<23>(_mm256_castps_si256(shifted.0[h]));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(self.0[h]), n))
            })
        }
        split(self) -> (Self, Self) {
            let root = _mm256_set1_epi32(ROOT_BITS as i32);
            let bits = [_mm256_castps_si256(self.0[0]), _mm256_castps_si256(self.0[1])];
            let e = [
                _mm256_srai_epi32::<23>(_mm256_sub_epi32(bits[0], root)),
                _mm256_srai_epi32::<23>(_mm256_sub_epi32(bits[1], root)),
            ];
            (
                halves!(h: _mm256_cvtepi32_ps(e[h])),
                halves!(h: {
                    let scaled = _mm256_slli_epi32::<23>(e[h]);
                    _mm256_castsi256_ps(_mm256_sub_epi32(bits[h], scaled))
                }),
            )
        }
        sum(self) -> f32 { fold!(self.0[0], self.0[1], _mm256_add_ps, _mm_add_ps, _mm_add_ss) }
        greatest(self) -> f32 { fold!(self.0[0], self.0[1], _mm256_max_ps, _mm_max_ps, _mm_max_ss) }
    }
}

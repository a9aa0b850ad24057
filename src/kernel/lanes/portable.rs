//! Plain Rust in the place of registers.

use ndarray::NdFloat;

use super::{Element, Register};

/// Whether the target of the build has a fused multiply-add; without the instruction it is a call into the mathematical library.
pub(crate) const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// Four numbers, which the compiler puts into the registers of the target: SSE2, NEON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Four<F>([F; 4]);

impl<F: Element + NdFloat> Four<F> {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(F, F) -> F) -> Self {
        Self([f(self.0[0], b.0[0]), f(self.0[1], b.0[1]), f(self.0[2], b.0[2]), f(self.0[3], b.0[3])])
    }
}

impl<F: Element + NdFloat> Register for Four<F> {
    type Elem = F;
    const N: usize = 4;

    #[inline(always)]
    fn splat(x: F) -> Self {
        Self([x; 4])
    }

    #[inline(always)]
    unsafe fn read(from: *const F) -> Self {
        // SAFETY: the caller's promise; an array needs no more alignment than its elements.
        Self(unsafe { from.cast::<[F; 4]>().read() })
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut F) {
        // SAFETY: as for `read`.
        unsafe { to.cast::<[F; 4]>().write(self.0) }
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.zip(b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.zip(b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.zip(b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, b: Self) -> Self {
        self.zip(b, |a, b| a / b)
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        if FUSED {
            Self(std::array::from_fn(|i| self.0[i].fused(b.0[i], c.0[i])))
        } else {
            self.mul(b).add(c)
        }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.map(F::abs))
    }

    #[inline(always)]
    fn max(self, b: Self) -> Self {
        self.zip(b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, b: Self) -> Self {
        self.zip(b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.map(F::sqrt))
    }

    #[inline(always)]
    fn at_most(self, b: Self) -> u32 {
        (0..4).fold(0, |mask, i| mask | u32::from(self.0[i] <= b.0[i]) << i)
    }

    #[inline(always)]
    fn one_where_unequal(self, b: Self) -> Self {
        self.zip(b, |a, b| if a == b { F::ZERO } else { F::ONE })
    }

    #[inline(always)]
    fn one_where_above(self, b: Self) -> Self {
        self.zip(b, |a, b| if a > b { F::ONE } else { F::ZERO })
    }

    #[inline(always)]
    fn exp2_of_low_bits(self) -> Self {
        Self(self.0.map(Element::exp2_of_low_bits))
    }

    #[inline(always)]
    fn exponent_and_fraction(self) -> (Self, Self) {
        let parts = self.0.map(Element::exponent_and_fraction);
        (Self(parts.map(|(e, _)| e)), Self(parts.map(|(_, m)| m)))
    }
}

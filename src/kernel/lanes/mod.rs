//! Numbers side by side: the one vocabulary in which kernels over registers are written.
//!
//! [`Lanes<F, S>`] is as many numbers of type `F` as a register of the family `S` holds, with the operators of a number. Beneath it lies one
//! [`Register`] for each family and type.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
mod words;

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::simd::Simd;
pub(crate) use portable::FUSED;
pub(crate) use portable::Four;
pub(crate) use words::Words;

/// `f32` or `f64`: what registers hold.
pub trait Element:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Send
    + Sync
    + 'static
{
    /// The register of a family that holds it.
    type Register<S: Simd>: Register<Elem = Self>;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The least number above 0.
    const TINIEST: Self;

    /// The nearest value of this type.
    fn of(x: f64) -> Self;

    /// `self b + c` in one rounding; a slow call where the target has no instruction for it.
    fn fused(self, b: Self, c: Self) -> Self;

    /// `2^n` for a number whose lowest bits hold `n` with the bias of an exponent.
    fn exp2_of_low_bits(self) -> Self;

    /// `e` and `m` of a positive normal number `2^e m`, `1 <= m < 2`.
    fn exponent_and_fraction(self) -> (Self, Self);
}

impl Element for f32 {
    type Register<S: Simd> = S::F32;
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
    const TINIEST: f32 = f32::from_bits(1);

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "rounding is what the name promises")]
    fn of(x: f64) -> f32 {
        x as f32
    }

    #[inline(always)]
    fn fused(self, b: f32, c: f32) -> f32 {
        self.mul_add(b, c)
    }

    #[inline(always)]
    fn exp2_of_low_bits(self) -> f32 {
        f32::from_bits(self.to_bits() << 23)
    }

    #[inline(always)]
    fn exponent_and_fraction(self) -> (f32, f32) {
        let bits = self.to_bits();
        ((bits >> 23) as f32 - 127.0, f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000))
    }
}

impl Element for f64 {
    type Register<S: Simd> = S::F64;
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
    const TINIEST: f64 = f64::from_bits(1);

    #[inline(always)]
    fn of(x: f64) -> f64 {
        x
    }

    #[inline(always)]
    fn fused(self, b: f64, c: f64) -> f64 {
        self.mul_add(b, c)
    }

    #[inline(always)]
    fn exp2_of_low_bits(self) -> f64 {
        f64::from_bits(self.to_bits() << 52)
    }

    #[inline(always)]
    fn exponent_and_fraction(self) -> (f64, f64) {
        let bits = self.to_bits();
        ((bits >> 52) as f64 - 1023.0, f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000))
    }
}

/// What the instruction sets must give: [`Lanes`] without its operators, which a foreign type cannot have.
///
/// A register of an instruction set that the machine lacks must not be used; see [`Simd`].
pub trait Register: Copy + Debug {
    /// What it holds.
    type Elem: Element;
    /// How many it holds; a divisor of 16.
    const N: usize;

    fn splat(x: Self::Elem) -> Self;
    /// # Safety
    /// `N` numbers are readable at `from`.
    unsafe fn read(from: *const Self::Elem) -> Self;
    /// # Safety
    /// `N` numbers are writable at `to`.
    unsafe fn write(self, to: *mut Self::Elem);
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn div(self, b: Self) -> Self;
    fn mul_add(self, b: Self, c: Self) -> Self;
    fn abs(self) -> Self;
    fn max(self, b: Self) -> Self;
    fn min(self, b: Self) -> Self;
    fn sqrt(self) -> Self;
    /// The bits of `sqrt` for numbers that are finite and at least 2^-918 (in f32, 2^-80), without its unit.
    #[inline(always)]
    fn normal_root(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn reciprocal(self) -> Self {
        Self::splat(Self::Elem::ONE).div(self)
    }
    /// `self / b` to a unit in the last place, where `1 / b` and the quotient are normal or the quotient is 0.
    #[inline(always)]
    fn quotient(self, b: Self) -> Self {
        self.div(b)
    }
    /// The largest of them, none of which is NaN.
    #[inline(always)]
    fn largest(self) -> Self::Elem {
        by_halves(self, |a, b| if b > a { b } else { a })
    }
    /// The `n` numbers from `from` on, and 0 behind them.
    ///
    /// # Safety
    /// `n` numbers are readable at `from`, and `n` is at most `N`.
    #[inline(always)]
    unsafe fn read_few(from: *const Self::Elem, n: usize) -> Self {
        let mut lanes = [Self::Elem::ZERO; 16];
        // SAFETY: no register holds more than 16, and `n` are there.
        unsafe {
            for (i, lane) in lanes.iter_mut().enumerate().take(n) {
                *lane = *from.add(i);
            }
            Self::read(lanes.as_ptr())
        }
    }
    /// Its numbers from `half` on, a power of two below `N`; what follows them has no meaning.
    #[inline(always)]
    fn upper(self, half: usize) -> Self {
        let mut lanes = [Self::Elem::ZERO; 32];
        // SAFETY: there is room for 32, and no register holds more than 16.
        unsafe {
            self.write(lanes.as_mut_ptr());
            Self::read(lanes[half..half + Self::N].as_ptr())
        }
    }
    /// Their sum: the upper half is added to the lower one, of that its upper half to its lower one, until one number is left.
    #[inline(always)]
    fn total(self) -> Self::Elem {
        by_halves(self, |a, b| a + b)
    }
    fn at_most(self, b: Self) -> u32;
    fn one_where_unequal(self, b: Self) -> Self;
    fn one_where_above(self, b: Self) -> Self;
    fn exp2_of_low_bits(self) -> Self;
    fn exponent_and_fraction(self) -> (Self, Self);
}

/// What `join` makes of all numbers of a register: of its halves, lane by lane, then of the halves of that, until one number is left.
#[inline(always)]
fn by_halves<R: Register>(register: R, join: impl Fn(R::Elem, R::Elem) -> R::Elem) -> R::Elem {
    let mut lanes = [R::Elem::ZERO; 16];
    // SAFETY: there is room for 16, and no register holds more.
    unsafe { register.write(lanes.as_mut_ptr()) };
    let mut width = R::N;
    while width > 1 {
        width /= 2;
        for l in 0..width {
            lanes[l] = join(lanes[l], lanes[l + width]);
        }
    }
    lanes[0]
}

/// A register's worth of numbers; every operation works on each of them alone.
///
/// `+`, `-`, `*` and `/` round each by itself, on every instruction set; [`mul_add`](Self::mul_add) does not where it need not.
#[derive(Debug, Clone, Copy)]
pub struct Lanes<F: Element, S: Simd>(F::Register<S>);

impl<F: Element, S: Simd> Lanes<F, S> {
    /// How many numbers it holds; a divisor of 16.
    pub(crate) const N: usize = <F::Register<S>>::N;
    /// How many of them the machine's registers hold at a time.
    pub(crate) const COUNT: usize = S::REGISTERS * S::BYTES / size_of::<Self>();

    /// `x` in every place.
    #[inline(always)]
    pub(crate) fn splat(x: F) -> Self {
        Self(<F::Register<S>>::splat(x))
    }

    /// A constant in every place.
    #[inline(always)]
    pub(crate) fn of(x: f64) -> Self {
        Self::splat(F::of(x))
    }

    /// 0 in every place.
    #[inline(always)]
    pub(crate) fn zero() -> Self {
        Self::splat(F::ZERO)
    }

    /// The first `N` of `from`.
    #[inline(always)]
    pub(crate) fn load(from: &[F]) -> Self {
        let from = &from[..Self::N];
        // SAFETY: `from` has `N` numbers.
        unsafe { Self::read(from.as_ptr()) }
    }

    /// All of `from`, at most `N` numbers, and 0 behind them.
    #[inline(always)]
    pub(crate) fn load_few(from: &[F]) -> Self {
        assert!(from.len() <= Self::N, "no more than a register holds");
        // SAFETY: `from` has so many numbers.
        Self(unsafe { <F::Register<S>>::read_few(from.as_ptr(), from.len()) })
    }

    /// Writes the first `N` of `to`.
    #[inline(always)]
    pub(crate) fn store(self, to: &mut [F]) {
        let to = &mut to[..Self::N];
        // SAFETY: `to` has `N` numbers.
        unsafe { self.write(to.as_mut_ptr()) }
    }

    /// The `N` numbers from `from` on.
    ///
    /// # Safety
    /// They are readable.
    #[inline(always)]
    pub(crate) unsafe fn read(from: *const F) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { <F::Register<S>>::read(from) })
    }

    /// Writes the `N` numbers from `to` on.
    ///
    /// # Safety
    /// They are writable.
    #[inline(always)]
    pub(crate) unsafe fn write(self, to: *mut F) {
        // SAFETY: the caller's promise.
        unsafe { self.0.write(to) }
    }

    /// `self * b + c`, in one rounding where the family can.
    #[inline(always)]
    pub(crate) fn mul_add(self, b: Self, c: Self) -> Self {
        Self(self.0.mul_add(b.0, c.0))
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// The larger; `b` where one of them is NaN.
    #[inline(always)]
    pub(crate) fn max(self, b: Self) -> Self {
        Self(self.0.max(b.0))
    }

    /// The largest of its numbers, none of which is NaN.
    #[inline(always)]
    pub(crate) fn largest(self) -> F {
        self.0.largest()
    }

    /// The sum of its numbers.
    #[inline(always)]
    pub(crate) fn total(self) -> F {
        self.0.total()
    }

    /// The smaller; `b` where one of them is NaN.
    #[inline(always)]
    pub(crate) fn min(self, b: Self) -> Self {
        Self(self.0.min(b.0))
    }

    /// The least of its numbers, none of which is NaN.
    #[inline(always)]
    pub(crate) fn least(self) -> F {
        by_halves(self.0, |a, b| if b < a { b } else { a })
    }

    #[inline(always)]
    pub(crate) fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }

    /// The bits of [`sqrt`](Self::sqrt) for numbers that are finite and at least 2^-918 (in f32, 2^-80), without the unit that divides, where that is
    /// faster.
    #[inline(always)]
    pub(crate) fn normal_root(self) -> Self {
        Self(self.0.normal_root())
    }

    /// `1 / self`, to 1 unit in the last place, for `self` with a normal inverse.
    #[inline(always)]
    pub(crate) fn reciprocal(self) -> Self {
        Self(self.0.reciprocal())
    }

    /// `self / b` to a unit in the last place, where `1 / b` and the quotient are normal or the quotient is 0.
    #[inline(always)]
    pub(crate) fn quotient(self, b: Self) -> Self {
        Self(self.0.quotient(b.0))
    }

    /// The numbers from `half` on, a power of two below `N`, come first; what follows them has no meaning.
    #[inline(always)]
    pub(crate) fn upper(self, half: usize) -> Self {
        Self(self.0.upper(half))
    }

    /// Bit `i` is set where number `i` is at most that of `b`; NaN never is.
    #[inline(always)]
    pub(crate) fn at_most(self, b: Self) -> u32 {
        self.0.at_most(b.0)
    }

    /// 1 where the two differ, 0 where they are equal.
    #[inline(always)]
    pub(crate) fn one_where_unequal(self, b: Self) -> Self {
        Self(self.0.one_where_unequal(b.0))
    }

    /// 1 where `self` is larger, else 0.
    #[inline(always)]
    pub(crate) fn one_where_above(self, b: Self) -> Self {
        Self(self.0.one_where_above(b.0))
    }

    /// `2^n` for numbers whose lowest bits hold `n` with the bias of an exponent.
    #[inline(always)]
    pub(crate) fn exp2_of_low_bits(self) -> Self {
        Self(self.0.exp2_of_low_bits())
    }

    /// `e` and `m` of positive normal numbers `2^e m`, `1 <= m < 2`.
    #[inline(always)]
    pub(crate) fn exponent_and_fraction(self) -> (Self, Self) {
        let (e, m) = self.0.exponent_and_fraction();
        (Self(e), Self(m))
    }
}

impl<F: Element, S: Simd> Add for Lanes<F, S> {
    type Output = Self;
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        Self(self.0.add(b.0))
    }
}

impl<F: Element, S: Simd> Sub for Lanes<F, S> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        Self(self.0.sub(b.0))
    }
}

impl<F: Element, S: Simd> Mul for Lanes<F, S> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        Self(self.0.mul(b.0))
    }
}

impl<F: Element, S: Simd> Div for Lanes<F, S> {
    type Output = Self;
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        Self(self.0.div(b.0))
    }
}

/// `0 - self`.
impl<F: Element, S: Simd> Neg for Lanes<F, S> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self::zero() - self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{Task, available, dispatch_on};

    struct All<'a, F>(&'a [F; 16]);

    impl<F: Element> Task for All<'_, F> {
        type Output = (usize, [F; 3]);

        #[inline(always)]
        fn run<S: Simd>(self) -> (usize, [F; 3]) {
            let lanes = Lanes::<F, S>::load(self.0);
            (Lanes::<F, S>::N, [lanes.total(), lanes.largest(), lanes.least()])
        }
    }

    /// The sum of the sums of both halves' lanes.
    fn sum_of_halves<F: Element>(x: &[F]) -> F {
        let (lower, upper) = x.split_at(x.len() / 2);
        let sums: Vec<F> = lower.iter().zip(upper).map(|(&a, &b)| a + b).collect();
        if let [sum] = sums[..] { sum } else { sum_of_halves(&sums) }
    }

    fn agrees<F: Element + linfa::Float>() {
        for shift in 0..16 {
            // No two orders of these have the same sum.
            let numbers: [F; 16] = std::array::from_fn(|i| {
                let k = (i + shift) % 16;
                F::cast((0.37 + k as f64).sin() * 3_f64.powi((k * 5 % 16) as i32 - 8))
            });
            for isa in available() {
                let (n, [total, largest, least]) = dispatch_on(isa, All(&numbers));
                let (numbers, message) = (&numbers[..n], format!("{isa:?} {shift}"));
                assert_eq!(total, sum_of_halves(numbers), "{message}");
                assert_eq!(largest, numbers.iter().copied().fold(numbers[0], F::max), "{message}");
                assert_eq!(least, numbers.iter().copied().fold(numbers[0], F::min), "{message}");
            }
        }
    }

    #[test]
    fn the_total_of_a_register_is_the_sum_of_its_halves_to_the_bit() {
        agrees::<f64>();
        agrees::<f32>();
    }

    struct Roots<'a, F>(&'a mut [F]);

    impl<F: Element> Task for Roots<'_, F> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self) {
            for numbers in self.0.chunks_exact_mut(Lanes::<F, S>::N) {
                Lanes::<F, S>::load(numbers).normal_root().store(numbers);
            }
        }
    }

    /// Numbers in [1, 4) whose roots are closest to the middle between two numbers of `digits` binary digits: with `k` in units of the root's last
    /// place, `k^2 + k - j` is one of them where `(2 k + 1)^2 = 4 j + 1`, modulo a power of two.
    fn hard_squares(digits: u32) -> Vec<f64> {
        let mut found = Vec::new();
        for bits in [digits + 1, digits + 2] {
            for j in (-64..=64).step_by(2) {
                let (c, modulus) = (4 * j + 1, 1_i128 << bits);
                // A digit of the root at a time.
                let mut root = 1_i128;
                for bit in 3..bits {
                    if (root * root - c) & ((2 << bit) - 1) != 0 {
                        root += 1 << (bit - 1);
                    }
                }
                for root in [root, -root, root + modulus / 2, modulus / 2 - root] {
                    let first = root.rem_euclid(modulus);
                    let fitting = (0..).map(|t| first + t * modulus).take_while(|&odd| odd < 2 << digits);
                    for k in fitting.filter(|&odd| odd >= 1 << digits).map(|odd| (odd - 1) / 2) {
                        let (square, places) = (k * k + k - j, bits - 2);
                        let mantissa = square >> places;
                        if mantissa << places == square
                            && (1 << (digits - 1)..1 << digits).contains(&mantissa)
                        {
                            found.push(mantissa as f64 * 2_f64.powi(places as i32 - 2 * (digits as i32 - 1)));
                        }
                    }
                }
            }
        }
        found
    }

    fn roots_agree<F: Element + linfa::Float>(digits: u32, ends: &[F]) {
        let mut numbers: Vec<F> = hard_squares(digits).into_iter().map(F::cast).collect();
        assert!(numbers.len() > 60);
        let n_hard = numbers.len();
        for k in [-20, 1, 17] {
            let start = numbers.len();
            numbers.extend_from_within(..n_hard);
            numbers[start..].iter_mut().for_each(|v| *v *= F::cast(4_f64.powi(k)));
        }
        let n_random = if cfg!(miri) { 16 } else { 100_000 };
        let random =
            (0..n_random).map(|i| F::cast(1.0 + 3.0 * (f64::from(i) * 0.618_033_988_749_894_9).fract()));
        numbers.extend(random);
        numbers.extend_from_slice(ends);
        numbers.resize(numbers.len().next_multiple_of(16), F::one());
        for isa in available() {
            let mut roots = numbers.clone();
            dispatch_on(isa, Roots(&mut roots));
            for (root, number) in roots.into_iter().zip(&numbers) {
                let expected = number.sqrt();
                assert!(root == expected, "{isa:?} {number}: {root} {expected}");
            }
        }
    }

    #[test]
    fn roots_are_right_to_the_bit_also_where_they_are_nearly_between_two_numbers() {
        let end = 2_f64.powi(-918);
        roots_agree(53, &[end, end * 1.1, end * 3.9, 1e-270, 1e290, f64::MAX / 2.1, f64::MAX]);
        let end = 2_f32.powi(-80);
        roots_agree(24, &[end, end * 1.1, end * 3.9, 1e-20, 1e37, f32::MAX / 2.1, f32::MAX]);
    }
}

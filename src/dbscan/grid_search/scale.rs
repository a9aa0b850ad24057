//! How coordinates become whole numbers.
//!
//! On each axis, `position(x) = round((x - lowest) * scale) + CELL`, with `scale = (CELL - 2) / eps`: whole units, `CELL = 2^14` of them to the side of a
//! cell. Rounding moves a point by half a unit, so the difference of two positions is less than one unit (and a hundredth for the arithmetic in
//! `f64`, positions being less than 2^45) off the true difference in units. Hence
//! - points within `eps` differ by less than `CELL` units on every axis, so their cells are the same or neighbours;
//! - points of one sub-cell, half as long as a cell, are within `sqrt(3) CELL / 2 + 2 < CELL - 2` units and so within `eps`, in up to three dimensions;
//! - points of neighbouring cells differ by less than `2 CELL = 2^15`, so the low 16 bits of positions tell their difference;
//! - a distance in units is less than `1.01 sqrt(d)` off the true one: outside this band whole numbers decide, inside it the input does.
//!
//! Pixels, colours and other lattices have many pairs at exactly `eps`, all inside the band. Where all coordinates are multiples of a power of two,
//! `step`, not much finer than `eps`, `scale` is the largest whole number of units per step instead: positions are exact, and so is the squared
//! distance, `(units per step)^2` times a whole number that the input leaves no doubt of. The band is empty then.

use super::CHUNK;
use crate::float::Float;
use crate::kernel::Band;
use crate::par;

/// Units of a cell's side, as a power of two.
const CELL_BITS: u32 = 14;
const CELL: f64 = (1 << CELL_BITS) as f64;

/// How coordinates become positions, and positions keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale<const D: usize> {
    lowest: [f64; D],
    scale: f64,
    /// Bits of a cell number on each axis.
    bits: [u32; D],
    pub(super) band: Band,
}

impl<const D: usize> Scale<D> {
    /// The scale for `eps`, or `None` where the keys of the cells do not fit 64 bits, or where not all points are finite.
    pub(super) fn new<F: Float>(records: &[F], eps: f64) -> Option<Self> {
        let (lowest, highest) = bounds::<F, D>(records)?;
        let lattice = lattice_step(records, eps);
        let (scale, band) = match lattice {
            Some(step) => on_lattice(step, eps),
            None => ((CELL - 2.0) / eps, Self::band()),
        };
        let mut bits = [0; D];
        for j in 0..D {
            let cells = (highest[j] - lowest[j]) * scale / CELL;
            // Above, positions would not be exact to a hundredth of a unit.
            if cells >= f64::from(1 << 30) || cells.is_nan() {
                return None;
            }
            // The cells `1..=cells + 1`, rounding, and one that stays free.
            bits[j] = (cells as u64 + 3).ilog2() + 1;
        }
        // Two bits are left, so that a key plus one row of cells is a number too.
        (bits.iter().sum::<u32>() + D as u32 <= 62).then_some(Self { lowest, scale, bits, band })
    }

    /// Bits of a whole key.
    pub(super) fn key_bits(&self) -> u32 {
        self.bits.iter().sum::<u32>() + D as u32
    }

    #[inline(always)]
    fn position(&self, x: f64, j: usize) -> u64 {
        // Adding 2^52 leaves the rounded number in the low bits.
        const TWO_52: f64 = (1_u64 << 52) as f64;
        ((x - self.lowest[j]) * self.scale + (CELL + TWO_52)).to_bits() & ((1 << 52) - 1)
    }

    /// The key of a point: its cell's, then a bit for each axis that tells the sub-cell.
    #[inline(always)]
    pub(super) fn key(&self, position: &[u64; D]) -> u64 {
        let (mut cell, mut sub) = (0, 0);
        for j in (0..D).rev() {
            cell = cell << self.bits[j] | position[j] >> CELL_BITS;
            sub = sub << 1 | position[j] >> (CELL_BITS - 1) & 1;
        }
        cell << D | sub
    }

    #[inline(always)]
    pub(super) fn positions<F: Float>(&self, point: &[F; D]) -> [u64; D] {
        std::array::from_fn(|j| self.position(point[j].as_f64(), j))
    }

    /// Offsets to the rows of neighbours; differences of keys wrap.
    pub(super) fn offsets(&self) -> Vec<u64> {
        let mut offsets = vec![0_u64];
        let mut shift = 0;
        for j in 1..D {
            shift += self.bits[j - 1];
            let step = 1_u64 << shift;
            offsets = [step.wrapping_neg(), 0, step]
                .iter()
                .flat_map(|step| offsets.iter().map(|offset| offset.wrapping_add(*step)))
                .collect();
        }
        offsets
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^29")]
    fn band() -> Band {
        let slack = 1.01 * (D as f64).sqrt();
        Band {
            inside: (CELL - 2.0 - slack).powi(2).floor() as u32,
            outside: (CELL - 2.0 + slack).powi(2).ceil() as u32,
        }
    }
}

/// Units per step of a lattice, at least: so the points of a sub-cell stay within `eps`, though a cell is longer by up to a unit per step.
const UNITS: f64 = 7.0;

/// Units per length, and the band, for multiples of `step`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^28")]
fn on_lattice(step: f64, eps: f64) -> (f64, Band) {
    let units = ((CELL - 2.0) * step / eps).floor();
    // Squared distances are whole multiples of `step^2`, and exact in `f64`.
    let sq_steps = (eps * eps / (step * step)).floor();
    let sq = (units * units * sq_steps) as u32;
    (units / step, Band { inside: sq, outside: sq })
}

/// A power of two of which all coordinates are multiples, if it is not too fine for `eps`, or too fine for exact sums.
fn lattice_step<F: Float>(records: &[F], eps: f64) -> Option<f64> {
    let step = (UNITS * eps / (CELL - 2.0)).log2().ceil().exp2();
    if !(step * step > 0.0 && (1.0 / step).is_finite()) {
        return None;
    }
    // Adding and subtracting this rounds to a whole number, and gives back what was one, below 2^51.
    const TO_WHOLE: f64 = 3.0 * (1_u64 << 51) as f64;
    let steps = |x: &F| x.as_f64() * (1.0 / step);
    let is_whole = |x: f64| x.abs() < LARGEST && (x + TO_WHOLE) - TO_WHOLE == x;
    let on_it = |values: &[F]| values.iter().fold(true, |all, x| all & is_whole(steps(x)));
    let chunks: Vec<_> = records.chunks(CHUNK).collect();
    let all_on_it = || par::map(chunks.len(), |i| on_it(chunks[i])).into_iter().all(|on_it| on_it);
    (on_it(&records[..records.len().min(64)]) && all_on_it()).then_some(step)
}

/// Steps from zero, at most: differences of coordinates are exact then, and their squares too where they are at most `eps`.
const LARGEST: f64 = (1_u64 << 50) as f64;

/// The lowest and the highest coordinate on each axis, or `None` where one is not finite.
fn bounds<F: Float, const D: usize>(records: &[F]) -> Option<([f64; D], [f64; D])> {
    // Twelve numbers are whole points in one, two and three dimensions.
    const LANES: usize = 12;
    let chunks: Vec<_> = records.chunks(CHUNK * LANES).collect();
    let of_chunks = par::map(chunks.len(), |chunk| {
        let (mut lo, mut hi) = ([F::infinity(); LANES], [F::neg_infinity(); LANES]);
        // `0 x` is NaN where `x` is not finite, and so is every sum with it.
        let mut sums = [F::zero(); LANES];
        let mut add = |values: &[F]| {
            for (((lo, hi), sum), &x) in lo.iter_mut().zip(&mut hi).zip(&mut sums).zip(values) {
                *lo = if x < *lo { x } else { *lo };
                *hi = if x > *hi { x } else { *hi };
                *sum += x * F::zero();
            }
        };
        let (twelves, rest) = chunks[chunk].as_chunks::<LANES>();
        twelves.iter().for_each(|values| add(values));
        add(rest);
        (lo, hi, sums.iter().all(|&sum| sum == F::zero()))
    });
    let (mut lowest, mut highest) = ([f64::INFINITY; D], [f64::NEG_INFINITY; D]);
    for (lo, hi, finite) in of_chunks {
        if !finite {
            return None;
        }
        for i in 0..LANES {
            lowest[i % D] = lowest[i % D].min(lo[i].as_f64());
            highest[i % D] = highest[i % D].max(hi[i].as_f64());
        }
    }
    Some((lowest, highest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_lattice_whole_numbers_decide() {
        let is_exact = |records: &[f64], eps| {
            let scale = Scale::<2>::new(records, eps).unwrap();
            scale.band.inside == scale.band.outside
        };
        let colours: Vec<f64> = (0..400).map(|i| f64::from(i * 7919 % 256)).collect();
        assert!([1.0, 1.5, 5.0, 2000.0].iter().all(|&eps| is_exact(&colours, eps)));
        assert!(!is_exact(&colours, 3000.0), "too fine for the cells");
        let mut off: Vec<f64> = colours.iter().map(|x| x / 64.0 - 1000.0).collect();
        assert!(is_exact(&off, 0.25));
        off[333] += 1e-9;
        assert!(!is_exact(&off, 0.25));
        assert!(!is_exact(&[0.1; 10], 1.0));
        assert!(is_exact(&[0.0; 10], 1e100));
    }
}

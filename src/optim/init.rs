//! First values of weights: Glorot, He, orthogonal.
//!
//! `rows` are the outputs (`fan_out`) and `columns` the inputs (`fan_in`) of a weight matrix, as PyTorch lays it out.

use ndarray::Array2;
use rand::Rng;

use crate::error::Result;
use crate::float::Float;
use crate::params::require;

/// Uniform in `+-sqrt(6 / (fan_in + fan_out))`: keeps the variance of signals about equal, forward and backward.
///
/// # Example
/// ```
/// use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
///
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
/// let w = sapwood::optim::init::glorot_uniform::<f64>(3, 5, &mut rng)?;
/// assert_eq!(w.dim(), (3, 5));
/// assert!(w.iter().all(|w| w.abs() <= (6.0_f64 / 8.0).sqrt()));
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`](crate::Error::Parameter) when both sizes are 0.
///
/// # References
/// Glorot, Bengio (2010), equation 16.
pub fn glorot_uniform<F: Float>(rows: usize, columns: usize, rng: &mut impl Rng) -> Result<Array2<F>> {
    let limit = (6.0 / fans(rows, columns)?).sqrt();
    Ok(uniform(rows, columns, limit, rng))
}

/// Normal with variance `2 / (fan_in + fan_out)`.
///
/// # Example
/// ```
/// use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
///
/// let w = sapwood::optim::init::glorot_normal::<f64>(100, 300, &mut Xoshiro256PlusPlus::seed_from_u64(0))?;
/// assert!((w.std(0.0) - (2.0_f64 / 400.0).sqrt()).abs() < 0.002);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`](crate::Error::Parameter) when both sizes are 0.
///
/// # References
/// Glorot, Bengio (2010), equation 12.
pub fn glorot_normal<F: Float>(rows: usize, columns: usize, rng: &mut impl Rng) -> Result<Array2<F>> {
    Ok(normal(rows, columns, (2.0 / fans(rows, columns)?).sqrt(), rng))
}

/// Uniform in `+-sqrt(6 / fan_in)`: for layers followed by a positive part.
///
/// # Example
/// ```
/// use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
///
/// let w = sapwood::optim::init::he_uniform::<f64>(100, 6, &mut Xoshiro256PlusPlus::seed_from_u64(0))?;
/// assert!(w.iter().all(|w| w.abs() <= 1.0));
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`](crate::Error::Parameter) when `columns` is 0.
///
/// # References
/// He et al. (2015), equation 10.
pub fn he_uniform<F: Float>(rows: usize, columns: usize, rng: &mut impl Rng) -> Result<Array2<F>> {
    let limit = (6.0 / fans(0, columns)?).sqrt();
    Ok(uniform(rows, columns, limit, rng))
}

/// Normal with variance `2 / fan_in`.
///
/// # Example
/// ```
/// use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
///
/// let w = sapwood::optim::init::he_normal::<f64>(100, 300, &mut Xoshiro256PlusPlus::seed_from_u64(0))?;
/// assert!((w.std(0.0) - (2.0_f64 / 300.0).sqrt()).abs() < 0.002);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`](crate::Error::Parameter) when `columns` is 0.
///
/// # References
/// He et al. (2015), equation 10.
pub fn he_normal<F: Float>(rows: usize, columns: usize, rng: &mut impl Rng) -> Result<Array2<F>> {
    Ok(normal(rows, columns, (2.0 / fans(0, columns)?).sqrt(), rng))
}

/// Normal with mean 0 and the given standard deviation.
///
/// # Example
/// ```
/// use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
///
/// let w = sapwood::optim::init::normal::<f64>(100, 300, 0.1, &mut Xoshiro256PlusPlus::seed_from_u64(0));
/// assert!((w.std(0.0) - 0.1).abs() < 0.002);
/// ```
pub fn normal<F: Float>(rows: usize, columns: usize, deviation: f64, rng: &mut impl Rng) -> Array2<F> {
    Array2::from_shape_simple_fn((rows, columns), || F::of(deviation * standard_normal(rng)))
}

/// Orthonormal rows, or columns where there are fewer of them, uniform among all such matrices.
///
/// # Example
/// ```
/// use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
/// use sapwood::ndarray::Array2;
///
/// let w = sapwood::optim::init::orthogonal::<f64>(4, 4, &mut Xoshiro256PlusPlus::seed_from_u64(0));
/// assert!((w.dot(&w.t()) - Array2::<f64>::eye(4)).iter().all(|x| x.abs() < 1e-14));
/// ```
///
/// # Complexity
/// `O(rows columns min(rows, columns))`.
///
/// # References
/// Saxe, McClelland, Ganguli (2014). Uniform: Mezzadri (2007), by Gram-Schmidt, whose triangular factor has a positive diagonal.
pub fn orthogonal<F: Float>(rows: usize, columns: usize, rng: &mut impl Rng) -> Array2<F> {
    let mut q = normal::<f64>(rows.min(columns), rows.max(columns), 1.0, rng);
    for i in 0..q.nrows() {
        // Twice is enough (Kahan, Parlett).
        for _ in 0..2 {
            for j in 0..i {
                let (done, mut row) = q.multi_slice_mut((ndarray::s![j, ..], ndarray::s![i, ..]));
                let dot = done.dot(&row);
                row.scaled_add(-dot, &done);
            }
        }
        let mut row = q.row_mut(i);
        let norm = row.dot(&row).sqrt();
        row /= norm;
    }
    let q = q.mapv(F::of);
    if rows <= columns { q } else { q.reversed_axes().as_standard_layout().into_owned() }
}

/// The sum of the fans, unless it is 0.
#[allow(clippy::cast_precision_loss, reason = "sizes of a matrix that fits into memory")]
fn fans(rows: usize, columns: usize) -> Result<f64> {
    let sum = rows.saturating_add(columns);
    require(sum > 0, "fan", "at least 1", sum)?;
    Ok(sum as f64)
}

fn uniform<F: Float>(rows: usize, columns: usize, limit: f64, rng: &mut impl Rng) -> Array2<F> {
    Array2::from_shape_simple_fn((rows, columns), || F::of(rng.gen_range(-limit..=limit)))
}

/// Box and Muller (1958).
fn standard_normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.r#gen::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.r#gen::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};

    #[test]
    fn variances_are_those_of_the_papers() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let (rows, columns) = (200, 300);
        let variance = |w: Array2<f64>| w.mapv(|x| x * x).mean().unwrap();
        let glorot = 2.0 / 500.0;
        let he = 2.0 / 300.0;
        for (w, expected) in [
            (glorot_uniform(rows, columns, &mut rng).unwrap(), glorot),
            (glorot_normal(rows, columns, &mut rng).unwrap(), glorot),
            (he_uniform(rows, columns, &mut rng).unwrap(), he),
            (he_normal(rows, columns, &mut rng).unwrap(), he),
        ] {
            // The variance of 60,000 squares is below 2% here at four standard deviations.
            assert!((variance(w) / expected - 1.0).abs() < 0.025);
        }
    }

    #[test]
    fn long_and_wide_matrices_are_orthonormal_on_their_short_side() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let wide = orthogonal::<f64>(3, 7, &mut rng);
        assert!((wide.dot(&wide.t()) - Array2::<f64>::eye(3)).iter().all(|x| x.abs() < 1e-14));
        let long = orthogonal::<f64>(7, 3, &mut rng);
        assert!((long.t().dot(&long) - Array2::<f64>::eye(3)).iter().all(|x| x.abs() < 1e-14));
    }

    #[test]
    fn no_fan_at_all_is_an_error() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        assert!(glorot_uniform::<f64>(0, 0, &mut rng).is_err());
        assert!(he_normal::<f64>(4, 0, &mut rng).is_err());
        assert!(glorot_normal::<f64>(0, 4, &mut rng).unwrap().is_empty());
    }
}

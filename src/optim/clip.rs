//! Clipping of gradients.

use crate::error::Result;
use crate::float::Float;
use crate::params::{Check, require};

/// What is done to a gradient before it is used.
///
/// # Example
/// ```
/// use sapwood::optim::Clip;
///
/// let mut gradient = [3.0, -4.0];
/// assert_eq!(Clip::Value(3.5).apply(&mut gradient)?, 5.0);
/// assert_eq!(gradient, [3.0, -3.5]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Clip {
    /// Scaled so that its norm, over all parameters together, is at most this: greater than 0.
    Norm(f64),
    /// Each entry moved into `-x..=x`: `x` greater than 0.
    Value(f64),
}

impl Check for Clip {
    fn check(&self) -> Result<()> {
        let (Self::Norm(max) | Self::Value(max)) = *self;
        require(max > 0.0, "clip", "greater than 0", max)
    }
}

impl Clip {
    /// Clips and returns the norm before it.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) for a limit that is not greater than 0.
    pub fn apply<F: Float>(self, gradient: &mut [F]) -> Result<f64> {
        match self {
            Self::Norm(max) => clip_norm(gradient, max),
            Self::Value(max) => {
                let norm = norm(gradient);
                clip_value(gradient, max)?;
                Ok(norm)
            }
        }
    }
}

/// Euclidean norm, summed in f64.
pub(crate) fn norm<F: Float>(gradient: &[F]) -> f64 {
    // Four sums side by side: one would wait for each addition.
    let mut sums = [0.0; 8];
    let mut chunks = gradient.chunks_exact(8);
    for chunk in &mut chunks {
        for (sum, g) in sums.iter_mut().zip(chunk) {
            *sum += g.as_f64() * g.as_f64();
        }
    }
    let rest: f64 = chunks.remainder().iter().map(|g| g.as_f64() * g.as_f64()).sum();
    (sums.iter().sum::<f64>() + rest).sqrt()
}

/// Scales the gradient so that its Euclidean norm is at most `max`; returns the norm it had.
///
/// As PyTorch's `clip_grad_norm_`: the factor is `max / (norm + 1e-6)`, and at most 1. A gradient whose norm is not finite stays as it is:
/// the norm that comes back tells.
///
/// # Example
/// ```
/// let mut gradient = [3.0, 4.0];
/// assert_eq!(sapwood::optim::clip_norm(&mut gradient, 1.0)?, 5.0);
/// assert!((gradient[0] - 0.6_f64).abs() < 1e-6);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`](crate::Error::Parameter) unless `max` is greater than 0.
pub fn clip_norm<F: Float>(gradient: &mut [F], max: f64) -> Result<f64> {
    Clip::Norm(max).check()?;
    let norm = norm(gradient);
    let factor = max / (norm + 1e-6);
    if factor < 1.0 && norm.is_finite() {
        let factor = F::of(factor);
        gradient.iter_mut().for_each(|g| *g *= factor);
    }
    Ok(norm)
}

/// Moves every entry into `-max..=max`; NaN stays.
///
/// # Example
/// ```
/// let mut gradient = [3.0, -0.5];
/// sapwood::optim::clip_value(&mut gradient, 1.0)?;
/// assert_eq!(gradient, [1.0, -0.5]);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`](crate::Error::Parameter) unless `max` is greater than 0.
pub fn clip_value<F: Float>(gradient: &mut [F], max: f64) -> Result<()> {
    Clip::Value(max).check()?;
    let max = F::of(max);
    for g in gradient {
        *g = if *g > max {
            max
        } else if *g < -max {
            -max
        } else {
            *g
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_zero_below_and_nan_are_errors() {
        for max in [0.0, -1.0, f64::NAN] {
            assert!(clip_norm(&mut [1.0], max).is_err());
            assert!(clip_value(&mut [1.0], max).is_err());
        }
    }

    #[test]
    fn a_short_gradient_stays_as_it_is_and_a_broken_one_is_told() {
        let mut gradient = [0.3, 0.4];
        assert!((clip_norm(&mut gradient, 1.0).unwrap() - 0.5_f64).abs() < 1e-15);
        assert_eq!(gradient, [0.3, 0.4]);
        let mut broken = [f64::NAN, 1.0];
        assert!(clip_norm(&mut broken, 0.1).unwrap().is_nan());
        assert_eq!(broken[1], 1.0);
    }
}

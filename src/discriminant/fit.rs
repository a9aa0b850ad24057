//! From rows to Gaussians, class by class.

use std::marker::PhantomData;

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label};
use linfa::traits::Fit;
use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix2};

use super::gaussians::Gaussians;
use super::{Covariances, Discriminant, DiscriminantValidParams, Shrinkage};
use crate::data::{self, ClassIndex};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::math;
use crate::observe::{self, FitObserved, Observer, Progress};

/// One class: its weight, mean and shrunk covariance.
struct Group {
    weight: f64,
    mean: Array1<f64>,
    covariance: Array2<f64>,
}

impl Group {
    /// From the rows of the class and the weight of each; `None` where these sum to 0.
    fn new(mut rows: Array2<f64>, w: &Array1<f64>, shrinkage: Shrinkage) -> Option<Self> {
        let weight = w.sum();
        if weight <= 0.0 {
            return None;
        }
        let mean = math::centre(&mut rows, w.view());
        let centred = rows * &w.mapv(f64::sqrt).insert_axis(Axis(1));
        let mut covariance = centred.t().dot(&centred) / weight;
        // One half of the product for both sides of the diagonal, to the bit.
        for i in 0..covariance.nrows() {
            for j in 0..i {
                covariance[[i, j]] = covariance[[j, i]];
            }
        }
        shrinkage.apply(&mut covariance, centred.view());
        Some(Self { weight, mean, covariance })
    }
}

/// The weights of the data set, or ones where it has none.
fn weights(weights: &Array1<f32>, n: usize) -> Result<Vec<f64>> {
    if weights.is_empty() {
        return Ok(vec![1.0; n]);
    }
    data::check_same_rows("weights", weights.len(), n)?;
    match weights.iter().find(|w| !(**w >= 0.0 && w.is_finite())) {
        Some(bad) => Err(Error::parameter("weights", "at least 0 and finite", bad)),
        None => Ok(weights.iter().map(|&w| f64::from(w)).collect()),
    }
}

impl<F, D, T, L, S> FitObserved<ArrayBase<D, Ix2>, T> for DiscriminantValidParams<S>
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
    L: Label,
    S: Covariances,
{
    type Object = Discriminant<S, L>;

    fn fit_observed(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        observer: &mut dyn Observer,
    ) -> Result<Self::Object> {
        let x = dataset.records();
        data::check_not_empty("records", x)?;
        data::check_finite("records", x)?;
        let targets = dataset.as_single_targets();
        data::check_same_rows("targets", targets.len(), x.nrows())?;
        let classes = ClassIndex::new(targets)?;
        let k = classes.n_classes();
        if k < 2 {
            return Err(Error::shape("targets", "at least two classes", k));
        }
        let weights = weights(&dataset.weights, x.nrows())?;
        if self.shrinkage == Shrinkage::LedoitWolf && !dataset.weights.is_empty() {
            return Err(Error::parameter("weights", "absent where shrinkage is estimated", "given"));
        }
        let columns = classes.columns(targets)?;
        let mut groups = Vec::with_capacity(k);
        for c in 0..k {
            let members: Vec<usize> = (0..x.nrows()).filter(|&i| columns[i] == c).collect();
            let rows = x.select(Axis(0), &members).mapv(F::as_f64);
            let w = members.iter().map(|&i| weights[i]).collect();
            let group = Group::new(rows, &w, self.shrinkage).ok_or_else(|| {
                let got = format!("{:?} without any", classes.label(c));
                Error::parameter("weights", "greater than 0 for a row of each class", got)
            })?;
            if group.covariance.iter().any(|v| !v.is_finite()) {
                return Err(Error::shape("records", "values whose squares are finite", "larger ones"));
            }
            groups.push(group);
            observe::report(observer, Progress::new("class", c as u64 + 1, k as u64))?;
        }
        let d = x.ncols();
        let total: f64 = groups.iter().map(|group| group.weight).sum();
        let log_priors = groups.iter().map(|group| (group.weight / total).ln()).collect();
        let means = Array2::from_shape_fn((k, d), |(c, j)| groups[c].mean[j]);
        let covariances = if S::SHARED {
            let mut within = Array2::zeros((d, d));
            for group in &groups {
                within.scaled_add(group.weight / total, &group.covariance);
            }
            vec![within]
        } else {
            groups.into_iter().map(|group| group.covariance).collect()
        };
        let gaussians = Gaussians::new(log_priors, means, covariances)?;
        Ok(Discriminant { classes, gaussians, covariances: PhantomData })
    }
}

impl<F, D, T, L, S> Fit<ArrayBase<D, Ix2>, T, Error> for DiscriminantValidParams<S>
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
    L: Label,
    S: Covariances,
{
    type Object = Discriminant<S, L>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Self::Object> {
        self.fit_observed(dataset, &mut ())
    }
}

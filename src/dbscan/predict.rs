//! The cluster of new points: that of the nearest core point.

use std::sync::{Arc, OnceLock};

use ndarray::{Array1, ArrayView2, Axis};

use super::{CHUNK, Dbscan, Metric, metric};
use crate::distance::{self, Chebyshev, Cosine, Manhattan};
use crate::error::Result;
use crate::float::Float;
use crate::index::{ByComponents, Index, Search};
use crate::par;

/// The core points as [`Dbscan::try_predict`] asks for them; made by the first call.
#[derive(Debug, Clone)]
pub(super) struct Core<F> {
    euclidean: OnceLock<Arc<Index<F>>>,
    manhattan: OnceLock<Arc<Index<F, Manhattan>>>,
    chebyshev: OnceLock<Arc<Index<F, Chebyshev>>>,
    on_sphere: OnceLock<Arc<Index<f64>>>,
}

impl<F> Default for Core<F> {
    fn default() -> Self {
        Self {
            euclidean: OnceLock::new(),
            manhattan: OnceLock::new(),
            chebyshev: OnceLock::new(),
            on_sphere: OnceLock::new(),
        }
    }
}

/// What was made first.
fn get_or_make<T>(cell: &OnceLock<Arc<T>>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = Arc::new(make()?);
    Ok(cell.get_or_init(|| made))
}

/// For each row of `x`, the row nearest to it and how far that is, as `pick` turns them into a label.
fn nearest<F: Float, M: ByComponents, L: Send>(
    index: &Index<F, M>,
    x: ArrayView2<'_, F>,
    pick: impl Fn(usize, usize, f64) -> L + Sync,
) -> Result<Vec<L>> {
    let chunks = par::map(x.nrows().div_ceil(CHUNK), |chunk| {
        let mut found = Vec::new();
        let rows = chunk * CHUNK..((chunk + 1) * CHUNK).min(x.nrows());
        rows.map(|row| {
            index.nearest_into(x.row(row), 1, &mut found)?;
            Ok(pick(row, found[0].row, found[0].distance))
        })
        .collect::<Result<Vec<_>>>()
    });
    Ok(chunks.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

impl<F: Float> Dbscan<F> {
    /// Labels of rows that were checked; there are core points.
    pub(super) fn labels_of(&self, x: ArrayView2<'_, F>) -> Result<Array1<Option<usize>>> {
        let label = |core: usize| self.clusters.labels[self.clusters.core_samples[core]];
        let within_eps = |_, core, distance| (distance <= self.eps).then(|| label(core)).flatten();
        let labels = match self.metric {
            Metric::Euclidean => {
                let index = get_or_make(&self.core.euclidean, || Index::new(&self.components))?;
                nearest(index, x, |row, core, _| {
                    // The root in a distance may round to the other side of `eps`.
                    let sq = x.row(row).iter().zip(self.components.row(core)).fold(0.0, |sq, (x, y)| {
                        let d = x.as_f64() - y.as_f64();
                        sq + d * d
                    });
                    (sq <= self.eps * self.eps).then(|| label(core)).flatten()
                })?
            }
            Metric::Haversine => {
                let index = get_or_make(&self.core.on_sphere, || {
                    Index::new(&metric::on_sphere("records", self.components.view(), self.eps)?.points)
                })?;
                let x = metric::on_sphere("x", x, self.eps)?;
                nearest(index, x.points.view(), |_, core, chord| {
                    (chord <= x.eps).then(|| label(core)).flatten()
                })?
            }
            Metric::Cosine => self.labels_by_pairs(x, Cosine)?,
            Metric::Manhattan => {
                let index = || Index::with_metric(&self.components, Search::Auto, Manhattan);
                nearest(get_or_make(&self.core.manhattan, index)?, x, within_eps)?
            }
            Metric::Chebyshev => {
                let index = || Index::with_metric(&self.components, Search::Auto, Chebyshev);
                nearest(get_or_make(&self.core.chebyshev, index)?, x, within_eps)?
            }
        };
        Ok(Array1::from(labels))
    }

    /// The same by comparing with every core point.
    fn labels_by_pairs<M: distance::Metric<F>>(
        &self,
        x: ArrayView2<'_, F>,
        metric: M,
    ) -> Result<Vec<Option<usize>>> {
        let nearest = distance::top_k(&x, &self.components, 1, metric)?;
        let nearest =
            nearest.indices.index_axis(Axis(1), 0).into_iter().zip(nearest.distances.index_axis(Axis(1), 0));
        let eps = F::cast(self.eps);
        let label = |(&core, &distance): (&usize, &F)| {
            (distance <= eps).then(|| self.clusters.labels[self.clusters.core_samples[core]]).flatten()
        };
        Ok(nearest.map(label).collect())
    }
}

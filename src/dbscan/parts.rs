//! DBSCAN part by part: on several machines, or of data that do not fit into memory.
//!
//! ```text
//!   +-----------------------+     The rows are cut into boxes. A part owns the rows of its box and sees those around it, up to twice `eps`.
//!   |  halo                 |     - An owned row has its neighbours in the inner halo (`eps`), and these have theirs in the whole one: of
//!   |   +---------------+   |       both, the part knows whether they are core points, and so it finds every connection that an owned
//!   |   | owned         |   |       row takes part in.
//!   |   |               | 2 eps   - A core point of the part is one of the whole, since it has no fewer neighbours there.
//!   |   +---------------+   |     So two clusters of two parts are one if and only if they share a core point.
//!   +-----------------------+
//! ```

use std::ops::ControlFlow;

use linfa::traits::Fit;
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Axis, Data, Ix2};

use super::union_find::UnionFind;
use super::{Clusters, DbscanParams, DbscanValidParams, Metric};
use crate::data::{check_finite, check_not_empty};
use crate::distance::{Chebyshev, Manhattan};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::index::tree::Tree;
use crate::index::{ByComponents, Index, Search};
use crate::params::require;

/// Rows that are clustered together: those that a part owns, and those around it.
///
/// Made by [`partition`], clustered by [`cluster_part`](DbscanParams::cluster_part).
///
/// # Example
/// See [`partition`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Part<F> {
    eps: f64,
    /// The owned ones first.
    rows: Vec<usize>,
    n_owned: usize,
    points: Array2<F>,
}

impl<F: Float> Part<F> {
    /// The rows of the whole that this part answers for.
    #[must_use]
    pub fn owned(&self) -> &[usize] {
        &self.rows[..self.n_owned]
    }

    /// All rows that this part looks at: the owned ones, then those around.
    #[must_use]
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The points of [`rows`](Self::rows).
    #[must_use]
    pub fn points(&self) -> &Array2<F> {
        &self.points
    }
}

/// The parts of a set of points, one after the other; each is copied out of the points when it is asked for.
///
/// # Example
/// See [`partition`].
#[derive(Debug, Clone)]
pub struct Partition<'a, F> {
    points: ArrayView2<'a, F>,
    eps: f64,
    /// Owned rows, and those around.
    parts: std::vec::IntoIter<(Vec<u32>, Vec<u32>)>,
}

impl<F: Float> Iterator for Partition<'_, F> {
    type Item = Part<F>;

    fn next(&mut self) -> Option<Part<F>> {
        let (owned, halo) = self.parts.next()?;
        let rows: Vec<usize> = owned.iter().chain(&halo).map(|&row| row as usize).collect();
        let points = self.points.select(Axis(0), &rows);
        Some(Part { eps: self.eps, rows, n_owned: owned.len(), points })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.parts.size_hint()
    }
}

impl<F: Float> ExactSizeIterator for Partition<'_, F> {}

/// Cuts the rows of `points` into `parts` parts of about the same size, with a halo of 2 `eps` around each.
///
/// Needs 4 bytes for each row and for each row of a halo; the points themselves are copied part by part, as the iterator is asked. They may
/// be a view of a mapped file. Fewer parts come out where there are fewer rows.
///
/// # Errors
/// [`Error::Shape`] without a row or a column; [`Error::NonFinite`]; [`Error::Parameter`] for a bad `eps`, or `parts` = 0.
///
/// # Complexity
/// `O(d n log parts)` time.
///
/// # Example
/// ```
/// use sapwood::{Dbscan, dbscan, ndarray::Array2};
///
/// let x = Array2::from_shape_fn((1000, 2), |(i, j)| if j == 0 { i as f64 } else { (i % 7) as f64 });
/// let params = Dbscan::params(3).eps(7.0);
/// // Each part could be clustered on a machine of its own.
/// let parts: Vec<_> = dbscan::partition(&x, 7.0, 4)?.map(|part| params.cluster_part(&part)).collect::<Result<_, _>>()?;
/// let clusters = dbscan::merge(&parts)?;
/// assert_eq!(clusters.n_clusters(), 1);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn partition<F: Float, S: Data<Elem = F>>(
    points: &ArrayBase<S, Ix2>,
    eps: f64,
    parts: usize,
) -> Result<Partition<'_, F>> {
    check_not_empty("points", points)?;
    Tree::<F>::check_size(points.nrows())?;
    check_finite("points", points)?;
    require(eps > 0.0, "eps", "greater than 0", eps)?;
    require(parts > 0, "parts", "at least 1", parts)?;
    let points = points.view();
    let mut found = Vec::new();
    // A little more than twice eps, for the rounding of distances.
    let cut = Cut { points, reach: 2.0 * eps * (1.0 + 1e-9) };
    cut.parts_of((0..points.nrows() as u32).collect(), Vec::new(), parts.min(points.nrows()), &mut found);
    Ok(Partition { points, eps, parts: found.into_iter() })
}

struct Cut<'a, F> {
    points: ArrayView2<'a, F>,
    reach: f64,
}

impl<F: Float> Cut<'_, F> {
    fn at(&self, row: u32, axis: usize) -> f64 {
        self.points[[row as usize, axis]].as_f64()
    }

    /// Cuts rows into so many parts; `halo` holds all rows that are near them.
    fn parts_of(
        &self,
        mut owned: Vec<u32>,
        mut halo: Vec<u32>,
        parts: usize,
        found: &mut Vec<(Vec<u32>, Vec<u32>)>,
    ) {
        let d = self.points.ncols();
        let (mut lo, mut hi) = (vec![f64::INFINITY; d], vec![f64::NEG_INFINITY; d]);
        for &row in &owned {
            for axis in 0..d {
                let x = self.at(row, axis);
                (lo[axis], hi[axis]) = (lo[axis].min(x), hi[axis].max(x));
            }
        }
        halo.retain(|&row| {
            (0..d).all(|axis| {
                let x = self.at(row, axis);
                lo[axis] - x <= self.reach && x - hi[axis] <= self.reach
            })
        });
        if parts == 1 {
            owned.sort_unstable();
            halo.sort_unstable();
            found.push((owned, halo));
            return;
        }
        let side = |axis: usize| hi[axis] / 2.0 - lo[axis] / 2.0;
        let axis = (0..d).max_by(|&a, &b| side(a).total_cmp(&side(b))).unwrap_or(0);
        let left = parts / 2;
        let n_left = (owned.len() as u128 * left as u128 / parts as u128) as usize;
        owned.select_nth_unstable_by(n_left, |&a, &b| {
            self.at(a, axis).total_cmp(&self.at(b, axis)).then(a.cmp(&b))
        });
        let right_owned = owned.split_off(n_left);
        let around = |other: &[u32]| halo.iter().chain(other).copied().collect::<Vec<_>>();
        let (left_halo, right_halo) = (around(&right_owned), around(&owned));
        drop(halo);
        self.parts_of(owned, left_halo, left, found);
        self.parts_of(right_owned, right_halo, parts - left, found);
    }
}

/// What one part knows about its rows; [`merge`] makes the whole of all of them.
///
/// # Example
/// See [`partition`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PartClusters {
    /// Rows that the part owns.
    owned: Vec<usize>,
    /// Core points, owned or not, each with its cluster in this part.
    cores: Vec<(usize, usize)>,
    /// Owned border points, each with the clusters in this part that it is near to.
    borders: Vec<(usize, Vec<usize>)>,
    n_clusters: usize,
}

impl DbscanParams {
    /// Clusters one part of a [`partition`].
    ///
    /// # Errors
    /// Those of a fit; [`Error::Parameter`] where `eps` is larger than the partition was made for, or the distance is neither Euclidean, Manhattan nor Chebyshev.
    ///
    /// # Example
    /// See [`partition`].
    pub fn cluster_part<F: Float>(&self, part: &Part<F>) -> Result<PartClusters> {
        self.check_ref()?.cluster_part(part)
    }
}

impl DbscanValidParams {
    /// [`DbscanParams::cluster_part`] for parameters that were checked.
    ///
    /// # Errors
    /// See there.
    pub fn cluster_part<F: Float>(&self, part: &Part<F>) -> Result<PartClusters> {
        let Part { rows, n_owned, points, .. } = part;
        require(self.eps <= part.eps, "eps", "at most that of the partition", self.eps)?;
        if matches!(self.metric, Metric::Cosine | Metric::Haversine) {
            let rule = "Euclidean, Manhattan or Chebyshev for data in parts";
            return Err(Error::parameter("metric", rule, format_args!("{:?}", self.metric)));
        }
        let model = self.fit(&DatasetBase::from(points.view()))?;
        let label = |core: usize| model.labels()[model.core_samples()[core]];
        let cores: Vec<(usize, usize)> =
            model.core_samples().iter().filter_map(|&i| Some((rows[i], model.labels()[i]?))).collect();
        let mut is_core = vec![false; rows.len()];
        model.core_samples().iter().for_each(|&i| is_core[i] = true);
        let borders: Vec<usize> =
            (0..*n_owned).filter(|&i| !is_core[i] && model.labels()[i].is_some()).collect();
        let mut near: Vec<Vec<usize>> =
            borders.iter().map(|&i| model.labels()[i].into_iter().collect()).collect();
        if model.n_clusters() > 1 && !borders.is_empty() {
            // Several clusters may be near a border point; which has the lowest number in the end is not known here.
            let add =
                |near: &mut Vec<usize>, core: usize| near.extend(label(core).filter(|l| !near.contains(l)));
            let at = points.select(Axis(0), &borders);
            let cores = model.components();
            match self.metric {
                Metric::Manhattan => {
                    let index = Index::with_metric(cores, Search::Auto, Manhattan)?;
                    each_near(&index, &at, self.eps, |i, core| add(&mut near[i], core))?;
                }
                Metric::Chebyshev => {
                    let index = Index::with_metric(cores, Search::Auto, Chebyshev)?;
                    each_near(&index, &at, self.eps, |i, core| add(&mut near[i], core))?;
                }
                _ => each_near(&Index::new(cores)?, &at, self.eps, |i, core| add(&mut near[i], core))?,
            }
        }
        let borders = borders.into_iter().zip(near).map(|(i, near)| (rows[i], near)).collect();
        Ok(PartClusters { owned: part.owned().to_vec(), cores, borders, n_clusters: model.n_clusters() })
    }
}

/// [`merge`] checks how parts fit together; a part alone has no more clusters than core points.
#[cfg(feature = "serde")]
impl crate::stored::Stored for PartClusters {
    fn kind() -> String {
        "PartClusters".into()
    }

    fn validate(&self) -> Result<()> {
        require(self.n_clusters <= self.cores.len(), "n_clusters", "at most the core points", self.n_clusters)
    }
}

/// Calls `visit(i, j)` for each row `i` of `points` and each indexed row `j` within `eps` of it.
fn each_near<F: Float, M: ByComponents>(
    index: &Index<F, M>,
    points: &Array2<F>,
    eps: f64,
    mut visit: impl FnMut(usize, usize),
) -> Result<()> {
    for (i, point) in points.rows().into_iter().enumerate() {
        index.visit_within(point, eps, |near| {
            visit(i, near.row);
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

/// The clusters of the whole, from those of its parts in any order: the same as of one run.
///
/// # Errors
/// [`Error::Shape`] where a row is in no part or is owned by two.
///
/// # Complexity
/// `O(n log n)` time and `O(n)` memory.
///
/// # Example
/// See [`partition`].
pub fn merge(parts: &[PartClusters]) -> Result<Clusters> {
    let n = parts.iter().map(|part| part.owned.len()).sum();
    let mut owned = vec![false; n];
    for &row in parts.iter().flat_map(|part| &part.owned) {
        if row >= n || owned[row] {
            let rule = format!("each of the rows 0 to {} once", n.saturating_sub(1));
            return Err(Error::shape("parts", rule, format_args!("row {row}")));
        }
        owned[row] = true;
    }
    // Clusters of the parts before.
    let mut n_sets = 0;
    let firsts: Vec<usize> = parts
        .iter()
        .map(|part| {
            n_sets += part.n_clusters;
            n_sets - part.n_clusters
        })
        .collect();
    let too_large = || Error::shape("parts", "fewer than 2^32 clusters", n_sets);
    let sets = UnionFind::new(u32::try_from(n_sets).map_err(|_| too_large())?);
    let invalid =
        |row: usize| Error::shape("parts", "rows and clusters of one partition", format_args!("row {row}"));

    // For each core point, a cluster that it is in.
    let mut set_of = vec![u32::MAX; n];
    for (part, &first) in parts.iter().zip(&firsts) {
        for &(row, cluster) in &part.cores {
            if row >= n || cluster >= part.n_clusters {
                return Err(invalid(row));
            }
            let set = (first + cluster) as u32;
            if set_of[row] == u32::MAX {
                set_of[row] = set;
            } else {
                sets.union(set_of[row], set);
            }
        }
    }
    let mut label_of = vec![None; n_sets];
    let mut n_clusters = 0;
    let mut labels = Array1::from_elem(n, None);
    let mut core_samples = Vec::new();
    for row in (0..n).filter(|&row| set_of[row] != u32::MAX) {
        core_samples.push(row);
        labels[row] = *label_of[sets.find(set_of[row]) as usize].get_or_insert_with(|| {
            n_clusters += 1;
            Some(n_clusters - 1)
        });
    }
    for (part, &first) in parts.iter().zip(&firsts) {
        for (row, near) in &part.borders {
            if *row >= n || near.iter().any(|&cluster| cluster >= part.n_clusters) {
                return Err(invalid(*row));
            }
            if set_of[*row] == u32::MAX {
                let label =
                    |&cluster: &usize| label_of[sets.find((first + cluster) as u32) as usize].flatten();
                labels[*row] = near.iter().filter_map(label).min();
            }
        }
    }
    Ok(Clusters { labels, core_samples, n_clusters })
}

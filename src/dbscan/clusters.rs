//! What DBSCAN finds, whichever way it was searched.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use ndarray::{Array1, Array2};

use super::CHUNK;
use crate::float::Float;
use crate::kernel::{Room, expect_write};
use crate::par;

/// The cluster of each row, and the core points.
///
/// Clusters are numbered by their first core point in row order; a border point that could belong to several has the lowest number.
///
/// # Example
/// ```
/// use sapwood::Dbscan;
///
/// // A path of four rows, and one that knows nobody.
/// let edges = [vec![1], vec![0, 2], vec![1, 3], vec![2], vec![]];
/// let clusters = Dbscan::params(3).fit_neighbours(5, |row| edges[row].iter().copied())?;
/// assert_eq!(clusters.labels().to_vec(), [Some(0), Some(0), Some(0), Some(0), None]);
/// assert_eq!(clusters.core_samples(), [1, 2]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Clusters {
    pub(super) labels: Array1<Option<usize>>,
    pub(super) core_samples: Vec<usize>,
    pub(super) n_clusters: usize,
}

impl Clusters {
    /// The cluster of each row, from 0, or `None` for noise; `(n_samples,)`.
    #[must_use]
    pub fn labels(&self) -> &Array1<Option<usize>> {
        &self.labels
    }

    /// The rows that are core points, in order.
    #[must_use]
    pub fn core_samples(&self) -> &[usize] {
        &self.core_samples
    }

    /// Number of clusters, noise not counted.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// Number of rows that are noise.
    #[must_use]
    pub fn n_noise(&self) -> usize {
        self.labels.iter().filter(|label| label.is_none()).count()
    }
}

#[cfg(feature = "serde")]
impl crate::stored::Stored for Clusters {
    fn kind() -> String {
        "Clusters".into()
    }

    fn validate(&self) -> crate::error::Result<()> {
        use crate::params::require;
        let Self { labels, core_samples, n_clusters } = self;
        let stray = labels.iter().flatten().find(|label| *label >= n_clusters);
        require(stray.is_none(), "labels", "below the number of clusters", format_args!("{stray:?}"))?;
        let ascending = core_samples.windows(2).all(|pair| pair[0] < pair[1]);
        require(ascending, "core_samples", "ascending rows", "others")?;
        let stray = core_samples.iter().find(|row| !labels.get(**row).is_some_and(Option::is_some));
        require(stray.is_none(), "core_samples", "rows with a label", format_args!("{stray:?}"))
    }
}

/// Numbers sets by their smallest row: where a root holds that row (all ones elsewhere), it holds the number of its set afterwards. Returns how many there
/// are.
pub(super) fn number_by_smallest_row(of_roots: &[AtomicU32]) -> usize {
    let chunks: Vec<_> = of_roots.chunks(CHUNK).collect();
    let of_chunks = par::map(chunks.len(), |chunk| {
        let rows = (chunk * CHUNK..).zip(chunks[chunk]).map(|(root, row)| (row.load(Relaxed), root as u32));
        rows.filter(|&(row, _)| row != u32::MAX).collect::<Vec<_>>()
    });
    let mut first_rows = of_chunks.concat();
    first_rows.sort_unstable();
    for (label, &(_, root)) in (0..).zip(&first_rows) {
        of_roots[root as usize].store(label, Relaxed);
    }
    first_rows.len()
}

/// What a search writes: for each row, its cluster and whether it is a core point.
///
/// Rows are independent of one another and each is written by one thread, so relaxed ordering is enough.
pub(super) struct Found {
    /// The cluster in the low 31 bits, all set for noise, and [`CORE`](Self::CORE).
    rows: Vec<AtomicU32>,
    n_clusters: usize,
    /// Room for the labels, if there is some already.
    room: Option<Room<Option<usize>>>,
}

impl Found {
    const CORE: u32 = 1 << 31;
    const NOISE: u32 = Self::CORE - 1;

    pub(super) fn new(n: usize, n_clusters: usize) -> Self {
        Self::in_room(n, n_clusters, None)
    }

    /// With room for `n` labels, if there is some.
    pub(super) fn in_room(n: usize, n_clusters: usize, room: Option<Room<Option<usize>>>) -> Self {
        Self { rows: par::tabulate(n, |_| AtomicU32::new(0)), n_clusters, room }
    }

    #[inline]
    pub(super) fn set(&self, row: u32, label: Option<u32>, core: bool) {
        let core = u32::from(core) * Self::CORE;
        self.rows[row as usize].store(label.unwrap_or(Self::NOISE) | core, Relaxed);
    }

    /// A hint that a row is about to be set.
    #[inline(always)]
    pub(super) fn expect(&self, row: u32) {
        expect_write(&self.rows[row as usize]);
    }

    pub(super) fn clusters(self) -> Clusters {
        self.clusters_with::<f64>(&[], 0).0
    }

    /// The clusters, and the core points among `points`, rows of `d` numbers.
    pub(super) fn clusters_with<F: Float>(self, points: &[F], d: usize) -> (Clusters, Array2<F>) {
        // In place: atomic numbers could not be looked at several at a time.
        let rows: Vec<u32> = self.rows.into_iter().map(AtomicU32::into_inner).collect();
        let is_core = |row: &u32| row & Self::CORE != 0;
        let chunks: Vec<&[u32]> = rows.chunks(CHUNK).collect();
        let n_cores = par::map(chunks.len(), |i| chunks[i].iter().filter(|row| is_core(row)).count());
        let n_core: usize = n_cores.iter().sum();
        let mut labels = self.room.unwrap_or_else(|| Room::new(rows.len()));
        let (mut core_samples, mut components) = (Room::new(n_core), Room::new(n_core * d));
        {
            let (mut labels, mut cores, mut components) =
                (labels.fill(), core_samples.fill(), components.fill());
            let parts = chunks.iter().zip(&n_cores).map(|(chunk, n)| {
                (labels.split_off(chunk.len()), cores.split_off(*n), components.split_off(n * d))
            });
            par::for_each(parts.collect(), |chunk, (mut labels, mut cores, mut components)| {
                let (mut row, chunk) = (chunk * CHUNK, chunks[chunk]);
                labels.extend(chunk.iter().map(|row| {
                    let label = row & Self::NOISE;
                    (label != Self::NOISE).then_some(label as usize)
                }));
                for run in chunk.chunk_by(|a, b| is_core(a) == is_core(b)) {
                    let rows = row..row + run.len();
                    if is_core(&run[0]) {
                        components.copy(&points[rows.start * d..rows.end * d]);
                        cores.extend(rows.clone());
                    }
                    row = rows.end;
                }
            });
        }
        let components = Array2::from_shape_vec((n_core, d), components.into_vec());
        let (labels, core_samples) = (Array1::from(labels.into_vec()), core_samples.into_vec());
        (
            Clusters { labels, core_samples, n_clusters: self.n_clusters },
            components.expect("`d` entries were made for each core point"),
        )
    }
}

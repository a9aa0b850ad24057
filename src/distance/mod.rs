//! Distances and similarities: of two points, of all pairs, the nearest, and those within a radius.
//!
//! A metric is a small type ([`Cosine`], [`Euclidean`], [`Minkowski`], ...) that implements [`Metric`]; a metric of your own is one method.
//! The functions take any of them:
//!
//! | function | gives |
//! |---|---|
//! | [`points`], [`cosine_similarity`], ... | the distance of two points |
//! | [`pairwise`], [`condensed`] | all pairs of one set, as a square or as its upper half |
//! | [`between`], [`one_to_many`], [`blocks`] | all pairs of two sets: at once, for one point, a block at a time |
//! | [`top_k`] | the nearest rows of each query, without the matrix |
//! | [`within`], [`within_between`] | the pairs within a radius, without the matrix |
//! | [`sparse`] | the same between sparse rows |
//!
//! All of them check their input once (shapes, and that every value is finite) and use all threads of the current pool; the results are
//! the same bits for every number of threads, and every layout of an array is welcome.
//!
//! # Example
//! ```
//! use sapwood::{distance::{self, Cosine, Euclidean}, ndarray::array};
//!
//! let x = array![[3.0_f64, 4.0], [6.0, 8.0], [-4.0, 3.0]];
//! let cosine = distance::pairwise(&x, Cosine)?;
//! assert!(cosine[[0, 1]] == 0.0 && (cosine[[0, 2]] - 1.0).abs() < 1e-15);
//! assert_eq!(distance::top_k(&x, &x, 2, Euclidean)?.indices, array![[0, 1], [1, 0], [2, 0]]);
//! # Ok::<(), sapwood::Error>(())
//! ```

mod cosine;
mod counts;
mod distributions;
mod euclidean;
mod haversine;
mod metric;
mod minkowski;
mod nearest;
mod nn;
mod pairs;
mod radius;
pub mod sparse;

pub use crate::kernel::Block;
pub use cosine::{Angular, Correlation, Cosine, CosineSimilarity, Dot};
pub use counts::{BrayCurtis, Canberra, Hamming, Jaccard};
pub use distributions::{Hellinger, JensenShannon, KullbackLeibler};
pub use euclidean::{Euclidean, Mahalanobis, SquaredEuclidean};
pub use haversine::Haversine;
pub use metric::{Metric, Rows, TILE, TileError};
pub use minkowski::{Chebyshev, Manhattan, Minkowski, WeightedMinkowski};
pub use nearest::{Nearest, top_k};
pub use pairs::{
    between, between_into, blocks, condensed, cosine_distance, cosine_similarity, euclidean_distance,
    one_to_many, pairwise, pairwise_into, points,
};
pub(crate) use radius::{Ball, Columns, columns_above, each_column, pairs_within};
pub use radius::{within, within_between};

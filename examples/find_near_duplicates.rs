//! Nearest neighbours, near-duplicates and clusters among embeddings, by cosine distance.
//!
//! `cargo run --release --example find_near_duplicates [FILE.npy]`: f32 embeddings, one per row. Without a file it takes the topic
//! histograms of `../shared/data` if they are there, and else makes 4,000 points around 200 directions.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use ndarray::{Array2, s};
use sapwood::distance::{self, Cosine};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::{Dbscan, dbscan::Metric, index::BruteForce, io};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/emb/nmslib_final8/X.npy");
    let path = std::env::args().nth(1).or_else(|| std::fs::exists(shared).ok()?.then(|| shared.into()));
    let x = match path {
        Some(path) => io::read_npy(path)?,
        None => directions(4000, 64),
    };
    println!("{} embeddings of {} components", x.nrows(), x.ncols());

    // The five nearest of the first three, themselves included.
    let nearest = distance::top_k(&x.slice(s![..3, ..]), &x, 5, Cosine)?;
    for (query, (rows, distances)) in
        nearest.indices.outer_iter().zip(nearest.distances.outer_iter()).enumerate()
    {
        println!("nearest to {query}: {rows} at {distances:.2e}");
        assert_eq!(distances[0], 0.0, "the first is itself, or equal to it");
    }

    // Pairs at an angle of less than about a quarter of a degree. No matrix of all pairs is made.
    let mut pairs = Vec::new();
    distance::within(&x, 1e-5, Cosine, |i, j, d| pairs.push((d, i, j)))?;
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    println!("{} near-duplicate pairs; the nearest that are not equal:", pairs.len());
    for (d, i, j) in pairs.iter().filter(|pair| pair.0 > 0.0).take(5) {
        println!("  {i} and {j}: {d:.3e}");
    }

    // The same by the definition, for the first rows.
    let few = x.slice(s![..500, ..]);
    let all = distance::pairwise(&few, Cosine)?;
    let expected = all.indexed_iter().filter(|&((i, j), &d)| i < j && d <= 1e-5).count();
    assert_eq!(pairs.iter().filter(|&&(_, i, j)| i < 500 && j < 500).count(), expected);

    // Clusters of the same.
    let eps = 1e-3;
    let model = Dbscan::params(5).eps(eps).metric(Metric::Cosine).fit(&DatasetBase::from(x.view()))?;
    let mut sizes = vec![0; model.n_clusters()];
    model.labels().iter().flatten().for_each(|&label| sizes[label] += 1);
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    println!(
        "{} clusters of directions within {eps}, the largest of {:?} rows; {} rows are alone",
        sizes.len(),
        &sizes[..sizes.len().min(5)],
        model.n_noise()
    );
    // Whoever has four others within the radius is a core point.
    let crowded = BruteForce::new(&x, Cosine)?.counts_within(eps as f32, 5)?;
    assert!(model.labels().iter().zip(crowded).all(|(label, n)| n < 5 || label.is_some()));
    Ok(())
}

/// 200 directions, and points around them: some almost on top of each other.
fn directions(n: usize, d: usize) -> Array2<f32> {
    let mut state = 7_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let centres = Array2::from_shape_fn((200, d), |_| random());
    Array2::from_shape_fn((n, d), |(i, k)| {
        let spread = if i % 10 == 0 { 0.002 } else { 0.3 };
        centres[[i % 200, k]] + spread * random()
    })
}

//! DBSCAN beside linfa's k-means, Gaussian mixture and OPTICS on clusters of odd shapes, with a picture of each.
//!
//! Centres and ellipses cannot follow a spiral; where two round clusters touch, as in `aggregation`, they part what density joins.
//! Uses the shape sets of `../shared/data/shapes` (deric/clustering-benchmark) where they lie beside the crate, else rings and crescents made on the spot.
//!
//! `cargo run --release --example compare_clusterers [PICTURE.svg]`
#![allow(clippy::print_stdout)]

mod shapes;

use std::collections::{BTreeSet, HashMap};

use linfa_clustering::{GaussianMixtureModel, KMeans, Optics};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;
use sapwood::Dbscan;
use sapwood::linfa::traits::{Fit, Predict, Transformer};
use sapwood::linfa::{DatasetBase, ParamGuard};
use sapwood::ndarray::{Array1, Array2};
use sapwood::plot::{Figure, panels};
use shapes::Labels;

/// Agreement of two labellings over all pairs of points: 1 for the same partition, about 0 for chance (Hubert and Arabie, 1985).
fn adjusted_rand(a: &Labels, b: &Labels) -> f64 {
    let code = |label: &Option<usize>| label.map_or(0, |label| label + 1);
    let (mut table, mut rows, mut columns) =
        (HashMap::<_, f64>::new(), HashMap::<_, f64>::new(), HashMap::<_, f64>::new());
    for (a, b) in a.iter().zip(b) {
        *table.entry((code(a), code(b))).or_default() += 1.0;
        *rows.entry(code(a)).or_default() += 1.0;
        *columns.entry(code(b)).or_default() += 1.0;
    }
    let pairs = |n: &f64| n * (n - 1.0) / 2.0;
    let both: f64 = table.values().map(pairs).sum();
    let (in_a, in_b): (f64, f64) = (rows.values().map(pairs).sum(), columns.values().map(pairs).sum());
    let chance = in_a * in_b / pairs(&(a.len() as f64));
    (both - chance) / (0.5 * (in_a + in_b) - chance)
}

/// Clusters of an OPTICS ordering cut at `eps`: what was reached within `eps` goes on, a core point beyond begins anew.
fn optics(x: &Array2<f64>, min_samples: usize, eps: f64) -> Result<Labels, Box<dyn std::error::Error>> {
    let analysis = Optics::params(min_samples).check()?.transform(x.view());
    let mut labels = vec![None; x.nrows()];
    let (mut cluster, mut next) = (None, 0);
    for sample in analysis.iter() {
        let near = |distance: &Option<f64>| distance.is_some_and(|distance| distance <= eps);
        let (reached, core) = (near(sample.reachability_distance()), near(sample.core_distance()));
        if !reached || cluster.is_none() {
            cluster = (reached || core).then_some(next);
            next += usize::from(cluster.is_some());
        }
        labels[sample.index()] = cluster;
    }
    Ok(labels)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut figures = Vec::new();
    for (name, x, truth, eps) in shapes::sets() {
        let k = truth.iter().flatten().collect::<BTreeSet<_>>().len();
        let data = DatasetBase::from(x.clone());
        let rng = Xoshiro256Plus::seed_from_u64(7);
        let some = |labels: Array1<usize>| labels.mapv(Some).to_vec();
        let k_means = KMeans::params_with_rng(k, rng.clone()).n_runs(10).fit(&data)?.predict(&data);
        let mixture = GaussianMixtureModel::params_with_rng(k, rng).n_runs(10).fit(&data)?.predict(&data);
        let answers = [
            ("DBSCAN", Dbscan::params(5).eps(eps).fit(&data)?.labels().to_vec()),
            ("OPTICS cut at the same eps", optics(&x, 5, eps)?),
            ("k-means", some(k_means)),
            ("Gaussian mixture", some(mixture)),
        ];
        println!("{name}: {} points in {k} clusters, eps {eps:.3}", x.nrows());
        let scores = answers.each_ref().map(|(_, labels)| adjusted_rand(&truth, labels));
        for ((method, labels), score) in answers.iter().zip(scores) {
            println!("  {method:<28} adjusted Rand index {score:.3}");
            let subtitle = format!("{name}, adjusted Rand index {score:.3}");
            figures.push(Figure::clusters(&x, labels)?.title(*method).subtitle(subtitle));
        }
        assert!(
            scores[0] > scores[2] && scores[0] > scores[3],
            "density finds what centres do not: {scores:?}"
        );
    }
    if let Some(path) = std::env::args().nth(1) {
        std::fs::write(&path, panels(&figures, 4))?;
        println!("wrote {path}");
    }
    Ok(())
}

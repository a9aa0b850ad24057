//! Every kind of picture, light and dark, into a folder.
//!
//! `cargo run --release --example draw_everything [FOLDER]`; without one, a folder of the system for temporary files.
#![allow(clippy::print_stdout)]

mod models;

use std::path::PathBuf;

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::data::Sequences;
use sapwood::hmm::Gaussian;
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array2, array};
use sapwood::plot::{Figure, Theme};
use sapwood::{Dbscan, GaussianHmm, MarkovChain, dbscan};

type Named = (&'static str, Figure);

/// Blobs in the plane and in space, and the curve that says how wide a neighbourhood is.
fn clusters(rng: &mut Xoshiro256PlusPlus) -> sapwood::Result<Vec<Named>> {
    let mut blobs = |d: usize, n: usize| {
        let centres = Array2::from_shape_simple_fn((7, 3), || rng.gen_range(-9.0..9.0));
        Array2::from_shape_fn((n, d), |(i, j)| match i % 20 {
            0 => rng.gen_range(-10.0..10.0),
            _ => centres[[i % 7, j]] + (0..6).map(|_| rng.gen_range(-0.5..0.5)).sum::<f64>(),
        })
    };
    let (plane, space) = (DatasetBase::from(blobs(2, 3000)), DatasetBase::from(blobs(3, 20_000)));
    let curve = dbscan::suggest_eps(plane.records(), 8)?;
    let flat = Dbscan::params(8).eps(curve.eps()).fit(&plane)?;
    let solid = Dbscan::params(8).eps(0.8).fit(&space)?;
    Ok(vec![
        ("clusters", Figure::clusters(plane.records(), flat.labels())?.axes(["x (m)", "y (m)"])),
        ("clusters_3d", Figure::clusters(space.records(), solid.labels())?.axes(["x (m)", "y (m)", "z (m)"])),
        (
            "k_distance",
            Figure::k_distance(curve.distances(), curve.knee()).subtitle("8th neighbour, itself counted"),
        ),
    ])
}

/// A market that is calm or not, and what a model of it believes.
fn states(rng: &mut Xoshiro256PlusPlus) -> sapwood::Result<Named> {
    let emission =
        Gaussian::diagonal(array![[0.1], [-0.2], [0.0]].view(), array![[0.4], [3.0], [12.0]].view())?;
    let steps = array![[0.98, 0.015, 0.005], [0.03, 0.95, 0.02], [0.02, 0.08, 0.9]];
    let model = GaussianHmm::new(array![1.0, 0.0, 0.0], steps, emission)?;
    let (x, _) = model.sample(400, rng);
    let observed = x.column(0).to_vec();
    let posteriors = model.posteriors(&Sequences::single(x)?)?;
    let figure = Figure::posteriors(&posteriors, &["calm", "nervous", "panic"], &observed)?;
    Ok(("posteriors", figure.axes(["day", "return (%)", "probability"])))
}

/// The weather as a chain.
fn chain() -> sapwood::Result<Named> {
    let matrix =
        array![[0.7, 0.2, 0.1, 0.0], [0.3, 0.4, 0.25, 0.05], [0.2, 0.4, 0.3, 0.1], [0.05, 0.3, 0.25, 0.4]];
    let names = vec!["sun", "cloud", "rain", "snow"];
    let chain = MarkovChain::from_matrix(names, &[1.0, 0.0, 0.0, 0.0], matrix.view())?;
    Ok(("chain", Figure::chain(&chain, 0.0)?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder =
        std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join("sapwood_pictures"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut figures = clusters(&mut rng)?;
    figures.extend(models::classes(&mut rng)?);
    figures.push(states(&mut rng)?);
    figures.push(chain()?);
    figures.extend(models::nets()?);
    for (name, figure) in figures {
        for (theme, suffix) in [(Theme::Light, ""), (Theme::Dark, "_dark")] {
            let path = folder.join(format!("{name}{suffix}.svg"));
            let figure = figure.clone().theme(theme);
            figure.save(&path)?;
            assert!(figure.to_svg().len() < 1_500_000, "{name} is no light picture");
            println!("wrote {}", path.display());
        }
    }
    Ok(())
}

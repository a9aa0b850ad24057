//! Every kind of picture, light and dark, into a folder.
//!
//! `cargo run --release --example draw_everything [FOLDER]`; without one, a folder of the system for temporary files.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::data::Sequences;
use sapwood::hmm::Gaussian;
use sapwood::linfa::{Dataset, DatasetBase, traits::Fit, traits::Predict};
use sapwood::ndarray::{Array1, Array2, array};
use sapwood::plot::{Figure, Theme};
use sapwood::score::{Thresholds, reliability};
use sapwood::{Dbscan, GaussianHmm, LogisticRegression, Lstm, MarkovChain, Rnn, dbscan};

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

/// Three kinds told apart by six measurements of which two say nothing.
fn classes(rng: &mut Xoshiro256PlusPlus) -> sapwood::Result<Vec<Named>> {
    let (n, names) = (600, ["setosa", "versicolor", "virginica"]);
    let truth = Array1::from_shape_fn(n, |i| i * 7 % 3);
    let x = Array2::from_shape_fn((n, 6), |(i, j)| {
        let pull = [1.4, -0.9, 0.6, 0.3, 0.0, 0.0][j];
        pull * truth[i] as f64 + (0..4).map(|_| rng.gen_range(-1.0..1.0)).sum::<f64>()
    });
    let data = Dataset::new(x, truth.clone());
    let model = LogisticRegression::params().fit(&data)?;
    let mut counts = Array2::<usize>::zeros((3, 3));
    let predicted: Array1<usize> = model.predict(data.records());
    truth.iter().zip(&predicted).for_each(|(&t, &p)| counts[[t, p]] += 1);

    let two = Dataset::new(data.records().clone(), truth.mapv(|class| class == 2));
    let strong = LogisticRegression::params().fit(&two)?;
    let weak = LogisticRegression::params().alpha(3000.0).fit(&two)?;
    let positive = two.targets().to_vec();
    let scores = |model: &LogisticRegression<f64, bool>| -> sapwood::Result<Vec<f64>> {
        Ok(model.predict_proba(two.records())?.column(1).to_vec())
    };
    let (strong, weak) = (scores(&strong)?, scores(&weak)?);
    let alphas: Vec<f64> = (0..50).map(|i| 300.0 * 0.85_f64.powi(i)).collect();
    let path = LogisticRegression::params().l1_ratio(1.0).fit_path(&two, &alphas)?;
    let coefficients = Array2::from_shape_fn((50, 6), |(i, j)| path[i].coefficients()[[0, j]]);
    let features = ["petal length", "sepal width", "petal width", "sepal length", "day", "hour"];
    Ok(vec![
        ("confusion", Figure::confusion(&names, &counts)?),
        (
            "roc",
            Figure::roc(&[
                ("alpha = 1", &Thresholds::new(&positive, &strong)?),
                ("alpha = 3000", &Thresholds::new(&positive, &weak)?),
            ])?,
        ),
        (
            "calibration",
            Figure::calibration(&[
                ("alpha = 1", &reliability(&positive, &strong, 10)?),
                ("alpha = 3000", &reliability(&positive, &weak, 10)?),
            ])?,
        ),
        ("regularisation", Figure::regularisation_path(&alphas, &coefficients, &features)?.subtitle("L1")),
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

/// Nets that learn, and what is left of their gradients.
fn nets() -> sapwood::Result<Vec<Named>> {
    let x = Array2::from_shape_fn((200, 1), |(t, _)| (t as f64 * 0.3).sin());
    let y = Array2::from_shape_fn((200, 1), |(t, _)| ((t + 3) as f64 * 0.3).sin());
    let data = DatasetBase::new(Sequences::new(x.clone(), vec![20; 10])?, y);
    let settings = Lstm::params(8).n_epochs(60).learning_rate(0.02).early_stopping(30, 0.2);
    let model = settings.fit(&data)?;
    let norms = |forget_bias| -> sapwood::Result<Vec<f64>> {
        let net = Lstm::<f64>::untrained(&Lstm::params(16).forget_bias(forget_bias), 1, 1)?;
        Ok(net.gradient_through_time(&x)?.norms().to_vec())
    };
    let rnn = Rnn::<f64>::untrained(&Rnn::params(16), 1, 1)?.gradient_through_time(&x)?;
    let (closed, open) = (norms(0.0)?, norms(3.0)?);
    Ok(vec![
        (
            "losses",
            Figure::losses(&[("training", model.losses()), ("held back", model.validation_losses())])?
                .log_y(),
        ),
        (
            "gradients",
            Figure::gradients_through_time(&[
                ("LSTM, forget bias 3", &open),
                ("LSTM, forget bias 0", &closed),
                ("RNN", rnn.norms()),
            ])?,
        ),
    ])
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder =
        std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join("sapwood_pictures"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut figures = clusters(&mut rng)?;
    figures.extend(classes(&mut rng)?);
    figures.push(states(&mut rng)?);
    figures.push(chain()?);
    figures.extend(nets()?);
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

//! Model files and safetensors: whatever the bytes, an error or a model that answers.

use sapwood::data::{ClassIndex, Sequences};
use sapwood::hmm::{Categorical, Emission, Gaussian, GaussianMixture, Poisson};
use sapwood::markov::TransitionCounts;
use sapwood::ndarray::{Array1, Array2};
use sapwood::recurrent::{LstmCell, Recurrent};
use sapwood::stored::Stored;
use sapwood::{
    CategoricalNb, Dbscan, Gru, Hmm, LinearDiscriminant, LogisticRegression, Lstm, MarkovChain,
    QuadraticDiscriminant, Rnn, dbscan, io,
};

use super::tables::refused_by_format;

pub(crate) fn target(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    // A body behind the header of its kind, or bytes of which the header is a part.
    let whole = kind >= 128;
    match kind & 127 {
        0 => clusters(read(whole, bytes)),
        1 => chain(read(whole, bytes)),
        2 => hmm::<Categorical>(read(whole, bytes), |t| t % 3),
        3 => hmm::<Poisson>(read(whole, bytes), |t| t % 7),
        4 => hmm::<Gaussian<f64>>(read(whole, bytes), |t| t as f64),
        5 => hmm::<GaussianMixture<f64>>(read(whole, bytes), |t| t as f64),
        6 => regression(read(whole, bytes)),
        7 => {
            let Some(model) = read::<LinearDiscriminant<String>>(whole, bytes) else { return };
            let (_, d) = model.means().dim();
            probabilities(model.predict_proba(&rows::<f64>(d)), model.classes().len());
        }
        8 => {
            let Some(model) = read::<QuadraticDiscriminant<usize>>(whole, bytes) else { return };
            let (_, d) = model.means().dim();
            probabilities(model.predict_proba(&rows::<f64>(d)), model.classes().len());
        }
        9 => {
            let Some(model) = read::<CategoricalNb<bool>>(whole, bytes) else { return };
            let d = (0..).take_while(|&feature| model.log_likelihoods(feature).is_some()).count();
            probabilities(model.predict_proba(&Array2::zeros((2, d))), model.classes().len());
        }
        10 => net(read::<Lstm<f32>>(whole, bytes)),
        11 => net(read::<Gru<f32>>(whole, bytes)),
        12 => net(read::<Rnn<f32>>(whole, bytes)),
        13 => {
            let Some(model) = read::<Recurrent<f64, LstmCell, ClassIndex<String>>>(whole, bytes) else {
                return;
            };
            let tokens = Sequences::single(Array2::<usize>::zeros((3, 1))).expect("rows");
            if let Ok(probabilities) = model.predict_proba(&tokens) {
                assert_eq!(probabilities.ncols(), model.classes().len());
            }
        }
        14 => drop(read::<dbscan::PartClusters>(whole, bytes).map(|part| dbscan::merge(&[part]).is_ok())),
        15 => drop(read::<dbscan::Clusters>(whole, bytes).map(|clusters| clusters.n_noise())),
        16 => {
            let Some(counts) = read::<TransitionCounts<usize>>(whole, bytes) else { return };
            let _ = (counts.total(), counts.test_independence().is_ok());
            let _ = MarkovChain::from_counts(&counts, 0.5).is_ok();
        }
        17 => drop(read::<ClassIndex<String>>(whole, bytes)),
        18 => drop(read::<dbscan::DbscanParams>(whole, bytes)),
        19 => drop(read::<sapwood::logistic::LogisticRegressionParams>(whole, bytes)),
        20 => params::<Categorical>(whole, bytes),
        21 => params::<Poisson>(whole, bytes),
        22 => params::<Gaussian<f64>>(whole, bytes),
        23 => params::<GaussianMixture<f64>>(whole, bytes),
        24 => drop(read::<sapwood::Params<sapwood::recurrent::RecurrentParams<f32, LstmCell>>>(whole, bytes)),
        25..=63 => safetensors(bytes),
        _ => {}
    }
}

fn params<E: Emission>(whole: bool, bytes: &[u8])
where
    sapwood::Params<sapwood::hmm::HmmParams<E>>: Stored,
{
    drop(read::<sapwood::Params<sapwood::hmm::HmmParams<E>>>(whole, bytes));
}

/// A model that is read is valid, and its bytes are read again.
fn read<M: Stored>(whole: bool, bytes: &[u8]) -> Option<M> {
    let kind = M::kind();
    let forged;
    let file = if whole {
        bytes
    } else {
        let mut file = b"\x89sapwood\x01\x00".to_vec();
        file.extend(M::VERSION.to_le_bytes());
        file.extend((kind.len() as u16).to_le_bytes());
        file.extend(kind.as_bytes());
        file.extend((bytes.len() as u64).to_le_bytes());
        file.extend(bytes);
        forged = file;
        &forged[..]
    };
    let model: M = refused_by_format(io::from_bytes(file))?;
    model.validate().expect("valid");
    let bytes = io::to_bytes(&model).expect("written");
    let again: M = io::from_bytes(&bytes).expect("what was written");
    assert_eq!(io::to_bytes(&again).expect("written"), bytes);
    Some(model)
}

/// Two rows of a width, as long as that is one that a test can hold.
fn rows<F: sapwood::Float>(d: usize) -> Array2<F> {
    assert!(d < 1 << 20, "{d} columns of so few bytes");
    Array2::from_shape_fn((2, d), |(i, j)| F::cast(i as f64 - 0.25 * j as f64))
}

fn probabilities<F: sapwood::Float>(p: sapwood::Result<Array2<F>>, classes: usize) {
    let Ok(p) = p else { return };
    assert_eq!(p.ncols(), classes);
    for row in p.rows() {
        assert!(row.iter().all(|p| (0.0..=1.0 + 1e-6).contains(&p.as_f64())), "{row}");
        assert!((row.sum().as_f64() - 1.0).abs() < 1e-5, "{row}");
    }
}

fn clusters(model: Option<Dbscan<f64>>) {
    let Some(model) = model else { return };
    let d = model.components().ncols();
    let _ = model.try_predict(&rows(d)).map(|labels| {
        assert!(labels.iter().flatten().all(|&label| label < model.n_clusters()));
    });
}

fn chain(model: Option<MarkovChain<usize>>) {
    let Some(model) = model else { return };
    assert!(model.n_states() < 1 << 20);
    let x = Array2::from_shape_fn((model.n_states().min(4), 1), |(i, _)| model.states()[i]);
    let _ = Sequences::single(x).map(|x| model.log_likelihood(&x).is_ok());
    let _ = (model.stationary_distributions().len(), model.never_left().len(), model.absorption().is_ok());
}

fn hmm<E: Emission<Float = f64>>(model: Option<Hmm<E>>, element: impl Fn(usize) -> E::Elem) {
    let Some(model) = model else { return };
    let d = model.emission().n_features();
    assert!(d < 1 << 20 && model.n_states() < 1 << 20);
    let x = Sequences::single(Array2::from_shape_fn((4, d), |(t, j)| element(t + j))).expect("rows");
    if let Ok(score) = model.score(&x) {
        assert!(!score.is_nan(), "{model:?}");
        if score > f64::NEG_INFINITY {
            probabilities(model.posteriors(&x), model.n_states());
            let path: Array1<usize> = model.viterbi(&x).expect("possible").states;
            assert!(path.iter().all(|&state| state < model.n_states()));
        }
    }
}

fn regression(model: Option<LogisticRegression<f64, String>>) {
    let Some(model) = model else { return };
    let d = model.coefficients().ncols();
    if model.coefficients().iter().all(|w| w.abs() < 1e100) {
        probabilities(model.predict_proba(&rows::<f64>(d)), model.classes().len());
    }
}

fn net<C: sapwood::recurrent::Cell>(model: Option<Recurrent<f32, C>>) {
    let Some(model) = model else { return };
    for d in 1..4 {
        let x = Sequences::new(Array2::from_elem((3, d), 0.5_f32), vec![1, 2]).expect("rows");
        let _ = model.predict(&x).is_ok();
    }
    let _ = (model.to_safetensors().len(), model.stream().is_ok());
}

fn safetensors(bytes: &[u8]) {
    let mut net = Lstm::<f32>::untrained(&Lstm::params(2), 1, 1).expect("valid");
    let before = net.parameters().to_vec();
    match refused_by_format(net.load_safetensors(bytes, str::to_owned)) {
        None => assert_eq!(net.parameters(), before),
        Some(()) => {
            let mut copy = Lstm::<f32>::untrained(&Lstm::params(2), 1, 1).expect("valid");
            copy.load_safetensors(&net.to_safetensors(), str::to_owned).expect("what was written");
            assert_eq!(copy.parameters(), net.parameters());
        }
    }
}

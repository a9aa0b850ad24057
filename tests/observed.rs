//! Every long fit can be watched and stopped, and is the same to the last bit when nobody watches.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sapwood::data::{Csr, Sequences};
use sapwood::hmm::{Gaussian, Stop};
use sapwood::linfa::{Dataset, DatasetBase, traits::Fit};
use sapwood::logistic::Solver;
use sapwood::ndarray::{Array1, Array2, Ix1, OwnedRepr, array};
use sapwood::observe::{Observer, Progress};
use sapwood::{
    CategoricalHmm, Dbscan, Error, GaussianHmm, GaussianMixtureHmm, Gru, LogisticRegression, Lstm,
    PoissonHmm, Result, Rnn,
};

/// A fit, with the whole model in words as its answer.
struct Subject {
    name: &'static str,
    /// Whether a fit that is stopped gives the model that it has.
    keeps: bool,
    plain: Box<dyn Fn() -> Result<String>>,
    watched: Watched,
}

type Watched = Box<dyn Fn(&mut dyn Observer) -> Result<String>>;

/// One line for each way in which a fit can go.
fn subjects() -> Vec<Subject> {
    macro_rules! subject {
        ($name:literal, $keeps:literal, $params:expr, $data:expr) => {
            Subject {
                name: $name,
                keeps: $keeps,
                // One set of parameters and data for all fits of the subject.
                plain: {
                    let (params, data) = ($params, $data);
                    Box::new(move || Ok(format!("{:?}", params.fit(&data)?)))
                },
                watched: {
                    let (params, data) = ($params, $data);
                    Box::new(move |observer| Ok(format!("{:?}", params.fit_observed(&data, observer)?)))
                },
            }
        };
    }
    vec![
        subject!("DBSCAN on the grid", false, Dbscan::params(4).eps(0.5), points(2)),
        subject!("DBSCAN on the tree", false, Dbscan::params(4).eps(0.9), points(5)),
        subject!("categorical HMM", true, CategoricalHmm::params(2).n_init(2).max_iter(8), symbols()),
        subject!("Poisson HMM", true, PoissonHmm::params(2).max_iter(8), symbols()),
        subject!("HMM in batches", true, PoissonHmm::params(2).mini_batches(1, 0.7).max_iter(8), symbols()),
        subject!("Gaussian HMM", true, GaussianHmm::params(2).tol(1e-9).max_iter(8), measurements()),
        subject!("mixture HMM", true, GaussianMixtureHmm::params(2).tol(1e-9).max_iter(8), measurements()),
        subject!("logistic, Newton", false, logistic().solver(Solver::Newton), classified(2)),
        subject!("logistic, sampled Newton", false, logistic().solver(Solver::SampledNewton), classified(2)),
        subject!("logistic, L-BFGS", false, logistic().solver(Solver::Lbfgs), classified(2)),
        subject!("logistic, multinomial", false, logistic(), classified(3)),
        subject!("logistic, L1", false, logistic().alpha(0.1).l1_ratio(1.0), classified(2)),
        subject!("logistic, elastic net", false, logistic().alpha(0.1).l1_ratio(0.5), classified(3)),
        Subject {
            name: "logistic, sparse",
            keeps: false,
            plain: Box::new(|| sparse(&mut ())),
            watched: Box::new(|observer| sparse(observer)),
        },
        subject!("LSTM", true, Lstm::<f64>::params(4).n_epochs(5).batch_size(2), targets()),
        subject!("LSTM, truncated", true, Lstm::<f32>::params(4).n_epochs(5).truncate(5), narrow_targets()),
        subject!("GRU", true, Gru::<f64>::params(4).n_epochs(5).early_stopping(9, 0.3), targets()),
        subject!("RNN", true, Rnn::<f64>::params(4).n_epochs(5).n_layers(2), targets()),
        subject!("LSTM over tokens", true, Lstm::<f64>::params(4).n_epochs(5).embedding(3), tokens()),
    ]
}

fn logistic() -> sapwood::logistic::LogisticRegressionParams {
    LogisticRegression::params()
}

/// A number in [0, 1) for each pair.
fn scatter(i: usize, j: usize) -> f64 {
    ((i * 127 + j * 311 + i * i * 17) % 1009) as f64 / 1009.0
}

fn points(d: usize) -> DatasetBase<Array2<f64>, Array1<()>> {
    DatasetBase::from(Array2::from_shape_fn((200, d), |(i, j)| (i % 3 * 6) as f64 + scatter(i, j)))
}

type Observed<T> = DatasetBase<Sequences<OwnedRepr<T>>, ()>;

fn symbols() -> Observed<usize> {
    let x = Array2::from_shape_fn((120, 1), |(i, _)| {
        (scatter(i, i / 20 % 2) * 3.9) as usize % (2 + i / 20 % 2 * 2)
    });
    DatasetBase::new(Sequences::new(x, vec![70, 50]).unwrap(), ())
}

fn measurements() -> Observed<f64> {
    let x = Array2::from_shape_fn((120, 2), |(i, j)| (i / 20 % 2 * 2) as f64 + 3.0 * scatter(i, j));
    DatasetBase::new(Sequences::new(x, vec![70, 50]).unwrap(), ())
}

fn classified(k: usize) -> Dataset<f64, usize, Ix1> {
    let x = Array2::from_shape_fn((150, 4), |(i, j)| scatter(i, j) + (i % k * (j + 1)) as f64 * 0.1);
    Dataset::new(x, Array1::from_shape_fn(150, |i| i % k))
}

fn sparse(observer: &mut dyn Observer) -> Result<String> {
    let dense = classified(2);
    let sparse = sapwood::sprs::CsMat::csr_from_dense(dense.records().view(), 0.3);
    let data = DatasetBase::new(Csr::new(sparse.view())?, dense.targets().clone());
    Ok(format!("{:?}", LogisticRegression::params().fit_observed(&data, observer)?))
}

fn targets() -> DatasetBase<Sequences<OwnedRepr<f64>>, Array2<f64>> {
    let x = Array2::from_shape_fn((60, 2), |(i, j)| scatter(i, j));
    let y = x
        .rows()
        .into_iter()
        .map(|row| row.sum())
        .collect::<Array1<f64>>()
        .insert_axis(sapwood::ndarray::Axis(1));
    DatasetBase::new(Sequences::new(x, vec![10; 6]).unwrap(), y)
}

fn narrow_targets() -> DatasetBase<Sequences<OwnedRepr<f32>>, Array2<f32>> {
    let data = targets();
    let x = data.records().records().mapv(|x| x as f32);
    DatasetBase::new(Sequences::new(x, vec![10; 6]).unwrap(), data.targets().mapv(|y| y as f32))
}

fn tokens() -> DatasetBase<Sequences<OwnedRepr<usize>>, Array1<bool>> {
    let x = Array2::from_shape_fn((60, 1), |(i, _)| (scatter(i, 0) * 5.0) as usize);
    let y = Array1::from_shape_fn(60, |i| scatter(i, 0) > 0.5);
    DatasetBase::new(Sequences::new(x, vec![10; 6]).unwrap(), y)
}

/// Keeps all that it sees, and stops at step `until`.
struct Notes {
    seen: Vec<Progress>,
    until: usize,
}

impl Notes {
    fn until(until: usize) -> Self {
        Self { seen: Vec::new(), until }
    }
}

impl Observer for Notes {
    fn observe(&mut self, progress: &Progress) -> ControlFlow<()> {
        assert!(self.seen.len() < self.until, "called again after it asked to stop: {progress:?}");
        self.seen.push(*progress);
        if self.seen.len() == self.until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn watching_changes_no_bit_and_steps_go_up() {
    for Subject { name, plain, watched, .. } in subjects() {
        let mut notes = Notes::until(usize::MAX);
        assert_eq!(watched(&mut notes).unwrap(), plain().unwrap(), "{name}");
        assert!(!notes.seen.is_empty(), "{name}");
        for pair in notes.seen.windows(2) {
            // A new stage, or a new start of an HMM, counts from the beginning.
            let on = pair[0].stage != pair[1].stage || pair[1].done > pair[0].done || pair[1].done == 0;
            assert!(on, "{name}: {pair:?}");
        }
        for Progress { done, total, objective, .. } in notes.seen {
            assert!(total.is_none_or(|total| done <= total), "{name}: {done} of {total:?}");
            assert!(objective.is_none_or(f64::is_finite), "{name}: {objective:?}");
        }
    }
}

/// Bad input 89, and stops at every later step.
#[test]
fn n89_a_fit_can_be_stopped_at_any_step_and_the_next_one_is_whole() {
    for Subject { name, keeps, plain, watched } in subjects() {
        let undisturbed = plain().unwrap();
        let mut until = 1;
        loop {
            let mut notes = Notes::until(until);
            let result = watched(&mut notes);
            if notes.seen.len() < until {
                assert_eq!(result.unwrap(), undisturbed, "{name}, which has {} steps", notes.seen.len());
                break;
            }
            let last = notes.seen[until - 1];
            match result {
                Ok(model) => {
                    assert!(keeps && !model.contains("NaN"), "{name} stopped at {until}: {model}");
                    assert_eq!(model.contains("stop: Observer"), name.contains("HMM"), "{name}: {model}");
                    assert!(until > 1 || model != undisturbed, "{name} stopped at {until}: {model}");
                }
                Err(Error::Stopped { stage, done, .. }) => {
                    assert_eq!((stage, done, keeps), (last.stage, last.done, false), "{name}");
                }
                Err(error) => panic!("{name} stopped at {until}: {error}"),
            }
            assert_eq!(plain().unwrap(), undisturbed, "{name} after a stop at {until}");
            until += 1;
        }
        assert!(until > 1, "{name} was never asked");
    }
}

/// A round of EM that loses is seen by the observer as any other: its wish to stop is in the report.
#[test]
fn a_stop_in_a_round_that_loses_is_not_lost() {
    // The floor lifts the variances far above those that fit.
    let emission =
        Gaussian::spherical(array![[0.0, 0.0], [2.0, 2.0]].view(), array![2.0, 2.0].view()).unwrap();
    let start = GaussianHmm::new(array![0.5, 0.5], array![[0.9, 0.1], [0.1, 0.9]], emission).unwrap();
    let params = GaussianHmm::params(2).start_from(start).covariance_floor(1e3);
    let undisturbed = params.fit(&measurements()).unwrap();
    assert_eq!(undisturbed.report().unwrap().stop, Stop::WentDown);
    let last = undisturbed.report().unwrap().objectives.len();
    let mut notes = Notes::until(last);
    let stopped = params.fit_observed(&measurements(), &mut notes).unwrap();
    assert_eq!(stopped.report().unwrap().stop, Stop::Observer);
    assert_eq!(stopped.transition(), undisturbed.transition());
}

/// The fits of samples that come first are steps too, of a stage of their own.
#[test]
fn samples_are_watched_and_can_be_stopped() {
    let x = Array2::from_shape_fn((40_000, 3), |(i, j)| scatter(i, j) + (i % 2 * (j + 1)) as f64 * 0.1);
    let data = Dataset::new(x, Array1::from_shape_fn(40_000, |i| i % 2));
    let mut notes = Notes::until(usize::MAX);
    let watched = logistic().fit_observed(&data, &mut notes).unwrap();
    assert_eq!(format!("{watched:?}"), format!("{:?}", logistic().fit(&data).unwrap()));
    let first = notes.seen.iter().take_while(|progress| progress.stage == "sample").count();
    assert!(first > 2, "{:?}", notes.seen);
    assert!(notes.seen[..first].iter().zip(1..).all(|(progress, done)| progress.done == done));
    for until in 1..=first {
        let error = logistic().fit_observed(&data, &mut Notes::until(until)).unwrap_err();
        assert!(
            matches!(error, Error::Stopped { stage: "sample", done, .. } if done == until as u64),
            "{error}"
        );
    }
}

/// Bad input 90.
#[test]
fn n90_a_panic_of_the_observer_comes_through_and_the_next_fit_is_whole() {
    for Subject { name, plain, watched, .. } in subjects() {
        let mut fails = |_: &Progress| -> ControlFlow<()> { panic!("the observer's own") };
        let caught = catch_unwind(AssertUnwindSafe(|| watched(&mut fails))).unwrap_err();
        assert!(caught.downcast_ref::<&str>().is_some_and(|text| *text == "the observer's own"), "{name}");
        assert_eq!(watched(&mut ()).unwrap(), plain().unwrap(), "{name}");
    }
}

#[test]
fn a_caller_can_stop_at_an_objective_and_draw_its_curve() {
    for Subject { name, keeps, watched, .. } in subjects() {
        let mut curve = Vec::new();
        watched(&mut |progress: &Progress| {
            curve.extend(progress.objective);
            ControlFlow::Continue(())
        })
        .unwrap();
        let has_objective = !name.starts_with("DBSCAN");
        assert_eq!(!curve.is_empty(), has_objective, "{name}");
        let Some(&goal) = curve.get(1) else { continue };
        let mut seen = 0;
        let result = watched(&mut |progress: &Progress| {
            seen += 1;
            if progress.objective == Some(goal) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(seen, 2, "{name}");
        assert_eq!(result.is_ok(), keeps, "{name}");
    }
}

//! What every model of this crate keeps, whatever it learns. A model joins with one line in [`subjects`].
#![allow(clippy::print_stdout, reason = "a digest to compare")]

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::data::Sequences;
use sapwood::discriminant::Shrinkage;
use sapwood::linfa::traits::Predict;
use sapwood::linfa::{DatasetBase, ParamGuard};
use sapwood::ndarray::{Array1, Array2, ArrayView2, Axis, ShapeBuilder, concatenate, s};
use sapwood::observe::{Observer, Progress};
use sapwood::{
    CategoricalHmm, CategoricalNb, Dbscan, Error, Float, GaussianHmm, GaussianMixtureHmm, Gru,
    LinearDiscriminant, LogisticRegression, Lstm, PoissonHmm, QuadraticDiscriminant, Result, ndarray,
    with_threads,
};

/// One line for each model: its kind, its parameters with nothing set, and the setters that fit it to [`Table::new`].
fn subjects() -> Vec<Subject> {
    vec![
        clusters!(Dbscan::params(4), |params| params.eps(0.5)),
        classes!(LogisticRegression::params(), |params| params),
        classes!(LogisticRegression::params().l1_ratio(0.5), |params| params.tol(1e-6)),
        classes!(LinearDiscriminant::params(), |params| params),
        classes!(QuadraticDiscriminant::params(), |params| params.shrinkage(Shrinkage::Ball(0.1))),
        categories!(CategoricalNb::params(), |params| params.min_categories(CATEGORIES)),
        nets!(Gru::params(6), |params| params.n_epochs(12).batch_size(50).learning_rate(0.03)),
        nets!(Lstm::params(5).bidirectional(true), |params| params.n_epochs(12).learning_rate(0.03)),
        sequences!(
            Kind::Sequences,
            || GaussianHmm::<f64>::params(3).check().map(drop),
            GaussianHmm::params(3),
            |params| params,
            std::convert::identity
        ),
        sequences!(
            Kind::Sequences,
            || GaussianMixtureHmm::<f64>::params(3).check().map(drop),
            GaussianMixtureHmm::params(3),
            |params| params.max_iter(5),
            std::convert::identity
        ),
        sequences!(
            Kind::Counts,
            || PoissonHmm::params(3).check().map(drop),
            PoissonHmm::params(3),
            |params| params,
            as_categories
        ),
        sequences!(
            Kind::Symbols,
            || CategoricalHmm::params(3).check().map(drop),
            CategoricalHmm::params(3),
            |params| params.n_symbols(CATEGORIES),
            as_symbols
        ),
    ]
}

// ---- subjects: the one place that knows the traits ----

/// A model under contract.
struct Subject {
    name: &'static str,
    kind: Kind,
    /// Checks the parameters with nothing set.
    defaults: fn() -> Result<()>,
    fit_f32: Fit<f32>,
    fit_f64: Fit<f64>,
}

type Fit<F> = fn(&Table<'_, F>, &mut dyn Observer) -> Result<Fitted<F>>;

/// What the rows of a table are to a model.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Points: their order only numbers the answer.
    Clusters,
    /// Samples with a class each, which the model learns to tell from the records.
    Classes,
    /// The same with records that are categories, each number rounded to one.
    Categories,
    /// One sequence, whose rows get hidden states: the order says something, and a row is not answered alone.
    Sequences,
    /// The same with counts for numbers.
    Counts,
    /// The same with one symbol for each row.
    Symbols,
}

/// What a fitted model says. The boxes ask the model for `Send` and `Sync`.
struct Fitted<F> {
    /// The whole model in words, every number with all its digits.
    text: String,
    /// The same after it was stored and read again.
    #[cfg(feature = "serde")]
    restored: String,
    /// The answers for the rows of the fit.
    labels: Labels,
    predict: Predictor<F>,
}

type Labels = Vec<Option<usize>>;

type Predictor<F> = Box<dyn Fn(ArrayView2<'_, F>) -> Labels + Send + Sync>;

/// Fits on records alone; the model answers `Option<usize>` for a row.
macro_rules! clusters {
    ($params:expr, |$name:ident| $set:expr) => {{
        macro_rules! fit {
            () => {
                |table, observer| {
                    let $name = $params;
                    let model = $set.fit_observed(&DatasetBase::from(table.records), observer)?;
                    Ok(Fitted {
                        text: format!("{model:#?}"),
                        #[cfg(feature = "serde")]
                        restored: restored(&model),
                        labels: model.labels().to_vec(),
                        predict: Box::new(move |x| {
                            let labels: Array1<Option<usize>> = model.predict(&x);
                            labels.to_vec()
                        }),
                    })
                }
            };
        }
        Subject {
            name: stringify!($params),
            kind: Kind::Clusters,
            defaults: || $params.check().map(|_| ()),
            fit_f32: fit!(),
            fit_f64: fit!(),
        }
    }};
}
use clusters;

/// Fits on records with the class of each; the model answers a class for a row.
macro_rules! classes {
    ($params:expr, |$name:ident| $set:expr) => {{
        macro_rules! fit {
            () => {
                |table, observer| {
                    let $name = $params;
                    let data = DatasetBase::new(table.records, table.classes());
                    let model = $set.fit_observed(&data, observer)?;
                    let labels: Array1<usize> = model.predict(&table.records);
                    Ok(Fitted {
                        text: format!("{model:#?}"),
                        #[cfg(feature = "serde")]
                        restored: restored(&model),
                        labels: labels.iter().map(|&label| Some(label)).collect(),
                        predict: Box::new(move |x| {
                            let labels: Array1<usize> = model.predict(&x);
                            labels.iter().map(|&label| Some(label)).collect()
                        }),
                    })
                }
            };
        }
        Subject {
            name: stringify!($params),
            kind: Kind::Classes,
            defaults: || $params.check().map(|_| ()),
            fit_f32: fit!(),
            fit_f64: fit!(),
        }
    }};
}
use classes;

const CATEGORIES: usize = 8;

/// Records as categories, from the range in which most of the numbers lie.
fn as_categories<F: Float>(x: ArrayView2<'_, F>) -> Array2<usize> {
    x.mapv(|v| ((v.as_f64() + 4.0) / 2.0).clamp(0.0, (CATEGORIES - 1) as f64) as usize)
}

/// Fits on records as categories, with the class of each; the model answers a class for a row.
macro_rules! categories {
    ($params:expr, |$name:ident| $set:expr) => {{
        macro_rules! fit {
            () => {
                |table, observer| {
                    let $name = $params;
                    let data = DatasetBase::new(as_categories(table.records), table.classes());
                    let model = $set.fit_observed(&data, observer)?;
                    let labels: Array1<usize> = model.predict(data.records());
                    Ok(Fitted {
                        text: format!("{model:#?}"),
                        #[cfg(feature = "serde")]
                        restored: restored(&model),
                        labels: labels.iter().map(|&label| Some(label)).collect(),
                        predict: Box::new(move |x| {
                            let labels: Array1<usize> = model.predict(&as_categories(x));
                            labels.iter().map(|&label| Some(label)).collect()
                        }),
                    })
                }
            };
        }
        Subject {
            name: stringify!($params),
            kind: Kind::Categories,
            defaults: || $params.check().map(|_| ()),
            fit_f32: fit!(),
            fit_f64: fit!(),
        }
    }};
}
use categories;

/// Each row as a symbol, by its first number.
fn as_symbols<F: Float>(x: ArrayView2<'_, F>) -> Array2<usize> {
    as_categories(x.slice(s![.., ..x.ncols().min(1)]))
}

/// Fits on the rows as one sequence; the model answers a hidden state for each row.
macro_rules! sequences {
    ($kind:expr, $defaults:expr, $params:expr, |$name:ident| $set:expr, $of:expr) => {{
        macro_rules! fit {
            () => {
                |table, observer| {
                    let $name = $params;
                    let data = DatasetBase::from($of(table.records));
                    let model = $set.fit_observed(&data, observer)?;
                    let labels: Array1<usize> = model.predict(&data.records);
                    Ok(Fitted {
                        text: format!("{model:#?}"),
                        #[cfg(feature = "serde")]
                        restored: restored(&model),
                        labels: labels.iter().map(|&label| Some(label)).collect(),
                        predict: Box::new(move |x| {
                            let labels: Array1<usize> = model.predict(&$of(x));
                            labels.iter().map(|&label| Some(label)).collect()
                        }),
                    })
                }
            };
        }
        Subject {
            name: stringify!($params),
            kind: $kind,
            defaults: $defaults,
            fit_f32: fit!(),
            fit_f64: fit!(),
        }
    }};
}
use sequences;

/// Fits on sequences of one row with a class each; the model answers a class for a row.
macro_rules! nets {
    ($params:expr, |$name:ident| $set:expr) => {{
        macro_rules! fit {
            () => {
                |table, observer| {
                    let $name = $params;
                    let each = |x| Sequences::new(x, vec![1; x.nrows()]);
                    let data = DatasetBase::new(each(table.records)?, table.classes());
                    let model = $set.fit_observed(&data, observer)?;
                    let labels = model.predict(data.records())?;
                    Ok(Fitted {
                        text: format!("{model:#?}"),
                        #[cfg(feature = "serde")]
                        restored: restored(&model),
                        labels: labels.iter().map(|&label| Some(label)).collect(),
                        predict: Box::new(move |x| {
                            if x.nrows() == 0 {
                                return Vec::new();
                            }
                            let sequences = Sequences::new(x, vec![1; x.nrows()]).expect("rows");
                            let labels: Array1<usize> = Predict::predict(&model, &sequences);
                            labels.iter().map(|&label| Some(label)).collect()
                        }),
                    })
                }
            };
        }
        Subject {
            name: stringify!($params),
            kind: Kind::Classes,
            defaults: || {
                let params: sapwood::Params<sapwood::recurrent::RecurrentParams<f64, _>> = $params;
                params.check().map(|_| ())
            },
            fit_f32: fit!(),
            fit_f64: fit!(),
        }
    }};
}
use nets;

#[cfg(feature = "serde")]
fn restored<M: std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned>(model: &M) -> String {
    let bytes = postcard::to_allocvec(model).expect("a model can be stored");
    let model: M = postcard::from_bytes(&bytes).expect("a stored model can be read");
    format!("{model:#?}")
}

// ---- the data ----

/// Rows in which every kind of model finds its input.
#[derive(Clone, Copy)]
struct Table<'a, F> {
    records: ArrayView2<'a, F>,
}

impl<F: Float> Table<'_, F> {
    /// Which of the three balls a row is nearest to, about.
    fn classes(&self) -> Array1<usize> {
        let beyond = |value: Option<&F>| value.is_some_and(|v| v.as_f64() > 4.0);
        let class = |row: ndarray::ArrayView1<'_, F>| {
            usize::from(beyond(row.get(0))) + 2 * usize::from(beyond(row.get(1)))
        };
        self.records.rows().into_iter().map(class).collect()
    }
}

const COLUMNS: usize = 3;

/// Three balls of radius 1 far apart and a few points far from everything, in random order, in numbers that `f32` holds exactly.
fn rows<F: Float>(n: usize) -> Array2<F> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    let centres = [[0.0, 0.0, 0.0], [8.0, 1.0, -2.0], [-3.0, 9.0, 4.0]];
    Array2::from_shape_vec(
        (n, COLUMNS),
        (0..n)
            .flat_map(|i| {
                let spread = if i % 50 == 7 { 64.0 } else { 1.0 };
                let point: [f64; COLUMNS] = loop {
                    let point = std::array::from_fn(|_| f64::from(rng.gen_range(-256..=256)) / 256.0);
                    if point.iter().map(|x| x * x).sum::<f64>() <= 1.0 {
                        break point;
                    }
                };
                let centre = *centres.choose(&mut rng).expect("not empty");
                std::array::from_fn::<F, COLUMNS, _>(|k| F::cast(centre[k] + spread * point[k]))
            })
            .collect(),
    )
    .expect("n rows")
}

/// `f32` and `f64`, and which of a subject's fits is theirs.
trait Number: Float {
    fn fit_of(subject: &Subject) -> Fit<Self>;
}

impl Number for f32 {
    fn fit_of(subject: &Subject) -> Fit<f32> {
        subject.fit_f32
    }
}

impl Number for f64 {
    fn fit_of(subject: &Subject) -> Fit<f64> {
        subject.fit_f64
    }
}

impl Kind {
    /// Whether the records that the model sees are the numbers of the table.
    fn sees_numbers(self) -> bool {
        matches!(self, Self::Clusters | Self::Classes | Self::Sequences)
    }

    /// Whether a row's answer depends on the rows around it.
    fn is_sequence(self) -> bool {
        matches!(self, Self::Sequences | Self::Counts | Self::Symbols)
    }
}

impl Subject {
    fn fit<F: Number>(&self, records: ArrayView2<'_, F>) -> Result<Fitted<F>> {
        F::fit_of(self)(&Table { records }, &mut ())
    }

    fn fitted<F: Number>(&self, records: ArrayView2<'_, F>) -> Fitted<F> {
        self.fit(records).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

/// Labels numbered by their first appearance: two that agree are the same partition.
fn partition(labels: &Labels) -> Labels {
    let mut seen = Vec::new();
    let number = |label: &usize| {
        seen.iter().position(|known| known == label).unwrap_or_else(|| {
            seen.push(*label);
            seen.len() - 1
        })
    };
    let mut number = number;
    labels.iter().map(|label| label.as_ref().map(&mut number)).collect()
}

fn same<F>(subject: &Subject, what: &str, a: &Fitted<F>, b: &Fitted<F>) {
    assert!(a.labels == b.labels, "{}: other labels {what}", subject.name);
    assert!(a.text == b.text, "{}: another model {what}", subject.name);
}

// ---- the contract ----

#[test]
fn the_data_hold_several_answers() {
    for subject in subjects() {
        let labels = subject.fitted(rows::<f64>(400).view()).labels;
        let mut kinds = partition(&labels);
        kinds.sort_unstable();
        kinds.dedup();
        assert!(kinds.len() >= 3, "{}: {kinds:?} tests nothing", subject.name);
    }
}

#[test]
fn parameters_with_nothing_set_are_valid() {
    for subject in subjects() {
        (subject.defaults)().unwrap_or_else(|error| panic!("{}: {error}", subject.name));
    }
}

#[test]
fn refitting_gives_the_same_bits() {
    fn in_type<F: Number>(subject: &Subject) {
        let x = rows::<F>(400);
        same(subject, "on the second fit", &subject.fitted(x.view()), &subject.fitted(x.view()));
    }
    for subject in subjects() {
        in_type::<f32>(&subject);
        in_type::<f64>(&subject);
    }
}

/// One thread is the path without rayon.
#[test]
fn every_number_of_threads_gives_the_same_bits() {
    fn in_type<F: Number>(subject: &Subject) {
        let x = rows::<F>(3000);
        let one = with_threads(1, || subject.fitted(x.view()));
        for threads in [2, 3, 8] {
            let many = with_threads(threads, || subject.fitted(x.view()));
            same(subject, &format!("on {threads} threads"), &one, &many);
            let predicted = with_threads(threads, || (many.predict)(x.view()));
            assert!(
                predicted == (one.predict)(x.view()),
                "{} predicts otherwise on {threads} threads",
                subject.name
            );
        }
    }
    for subject in subjects() {
        in_type::<f32>(&subject);
        in_type::<f64>(&subject);
    }
}

/// The same digest with rayon and without is the same bits: `.ci/run` compares the two lines.
#[test]
fn all_models_have_one_digest() {
    // 64-bit FNV-1a.
    let fnv1a = |hash: u64, text: &str| {
        text.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let digest = || {
        subjects().iter().fold(0xcbf2_9ce4_8422_2325, |hash, subject| {
            let hash = fnv1a(hash, &subject.fitted(rows::<f32>(3000).view()).text);
            fnv1a(hash, &subject.fitted(rows::<f64>(3000).view()).text)
        })
    };
    let digests = [digest(), with_threads(3, digest)];
    println!("digest {:016x}", digests[0]);
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn every_memory_layout_gives_the_same_bits() {
    fn in_type<F: Number>(subject: &Subject) {
        let x = rows::<F>(400);
        let query = rows::<F>(30);
        let here = subject.fitted(x.view());

        let mut fortran = Array2::zeros(x.raw_dim().f());
        fortran.assign(&x);
        let turned_back = x.slice(s![..;-1, ..;-1]).to_owned();
        let mut sparse = Array2::from_elem((2 * x.nrows(), 2 * x.ncols() + 1), F::nan());
        sparse.slice_mut(s![..;2, 1..;2]).assign(&x);
        for (layout, view) in [
            ("Fortran order", fortran.view()),
            ("reversed view", turned_back.slice(s![..;-1, ..;-1])),
            ("every second row and column", sparse.slice(s![..;2, 1..;2])),
        ] {
            assert_eq!(view, x, "the test's own views");
            let there = subject.fitted(view);
            same(subject, &format!("from a {layout}"), &here, &there);
            assert!(
                (here.predict)(view) == (here.predict)(x.view()),
                "{}: predict on a {layout}",
                subject.name
            );
        }
        let repeated = query.row(3);
        let repeated = repeated.broadcast((5, COLUMNS)).expect("rows without a stride");
        assert_eq!((here.predict)(repeated), (here.predict)(repeated.to_owned().view()), "{}", subject.name);
        let constant = x.row(0).insert_axis(Axis(0));
        let constant = constant.broadcast((40, COLUMNS)).expect("rows without a stride");
        let (a, b) = (subject.fit(constant), subject.fit(constant.to_owned().view()));
        assert_eq!(a.map(|a| a.text).ok(), b.map(|b| b.text).ok(), "{}: rows without a stride", subject.name);
    }
    for subject in subjects() {
        in_type::<f32>(&subject);
        in_type::<f64>(&subject);
    }
}

#[test]
fn the_order_of_the_rows_only_renumbers() {
    for subject in subjects().iter().filter(|subject| subject.kind == Kind::Clusters) {
        let x = rows::<f64>(400);
        let mut order: Vec<usize> = (0..x.nrows()).collect();
        order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(3));
        let before = subject.fitted(x.view());
        let after = subject.fitted(x.select(Axis(0), &order).view());
        let permuted: Labels = order.iter().map(|&row| before.labels[row]).collect();
        assert_eq!(partition(&permuted), partition(&after.labels), "{}", subject.name);
    }
}

#[test]
fn each_row_is_answered_for_itself() {
    for subject in subjects().iter().filter(|subject| !subject.kind.is_sequence()) {
        let query = concatenate![Axis(0), rows::<f64>(90), rows::<f64>(60) * 1.25];
        let model = subject.fitted(rows::<f64>(400).view());
        let all = (model.predict)(query.view());
        for range in [0..1, 17..90, 149..150, 20..20] {
            assert_eq!((model.predict)(query.slice(s![range.clone(), ..])), all[range], "{}", subject.name);
        }
        let reversed: Labels = all.iter().rev().copied().collect();
        assert_eq!((model.predict)(query.slice(s![..;-1, ..])), reversed, "{}", subject.name);
    }
}

/// On numbers that both types hold exactly.
#[test]
fn f32_and_f64_agree() {
    for subject in subjects() {
        let (narrow, wide) =
            (subject.fitted(rows::<f32>(400).view()), subject.fitted(rows::<f64>(400).view()));
        assert_eq!(narrow.labels, wide.labels, "{}", subject.name);
        assert_eq!((narrow.predict)(rows(50).view()), (wide.predict)(rows(50).view()), "{}", subject.name);
    }
}

#[test]
fn a_value_that_is_not_finite_is_named_with_its_place() {
    fn in_type<F: Number>(subject: &Subject) {
        for bad in [F::nan(), F::infinity(), F::neg_infinity()] {
            for place in [(0, 0), (57, 1), (399, 2)] {
                let mut x = rows::<F>(400);
                x[place] = bad;
                match subject.fit(x.view()) {
                    Err(Error::NonFinite { row, column, value, .. }) => {
                        assert_eq!((row, column), place, "{}", subject.name);
                        assert_eq!(value.to_string(), bad.as_f64().to_string(), "{}", subject.name);
                    }
                    other => panic!("{}: {bad} gave {:?}", subject.name, other.map(|fitted| fitted.labels)),
                }
            }
        }
    }
    // Categories are whole numbers: there is nothing that is not finite.
    for subject in subjects().iter().filter(|subject| subject.kind.sees_numbers()) {
        in_type::<f32>(subject);
        in_type::<f64>(subject);
    }
}

#[test]
fn no_rows_or_no_columns_are_an_error_of_shape() {
    for subject in subjects() {
        for shape in [(0, COLUMNS), (40, 0), (0, 0)] {
            let fitted = subject.fit(Array2::<f64>::zeros(shape).view());
            let Err(error) = fitted else { panic!("{}: {shape:?} was fitted", subject.name) };
            assert!(matches!(error, Error::Shape { .. }), "{}: {error}", subject.name);
        }
    }
}

/// One row, one column, constants, and the ends of the number range: an answer for every row, or an error with a message.
#[test]
fn extreme_tables_are_answered_or_refused_without_a_panic() {
    fn in_type<F: Number>(subject: &Subject) {
        let x = rows::<F>(60);
        let (largest, smallest) = (F::max_value(), F::min_positive_value() * F::epsilon());
        let mut outlier = x.clone();
        outlier[[5, 1]] = largest;
        for (what, x) in [
            ("one row", x.slice(s![..1, ..]).to_owned()),
            ("one column", x.slice(s![.., ..1]).to_owned()),
            ("one row and column", x.slice(s![..1, ..1]).to_owned()),
            ("a constant table", Array2::from_elem((60, COLUMNS), F::cast(2.5))),
            ("a constant column", {
                let mut x = x.clone();
                x.column_mut(1).fill(F::one());
                x
            }),
            ("the largest numbers", x.mapv(|v| v.signum() * largest)),
            ("one largest number", outlier),
            ("the smallest numbers", x.mapv(|v| v * smallest)),
            ("many columns", Array2::from_shape_fn((20, 1000), |(i, k)| x[[i, k % COLUMNS]])),
        ] {
            let fit = || {
                subject.fit(x.view()).map(|fitted| (fitted.labels.len(), (fitted.predict)(x.view()).len()))
            };
            match catch_unwind(AssertUnwindSafe(fit)) {
                Ok(Ok(answers)) => assert_eq!(answers, (x.nrows(), x.nrows()), "{}: {what}", subject.name),
                Ok(Err(error)) => assert!(!error.to_string().is_empty(), "{}: {what}", subject.name),
                Err(_) => panic!("{} panics on {what}", subject.name),
            }
        }
    }
    for subject in subjects() {
        in_type::<f32>(&subject);
        in_type::<f64>(&subject);
    }
}

/// linfa's `predict` has no `Result`; its panic is documented and says what was expected.
#[test]
fn predicting_another_width_panics_with_both_numbers() {
    for subject in subjects().iter().filter(|subject| subject.kind != Kind::Symbols) {
        let model = subject.fitted(rows::<f64>(400).view());
        let predict = || (model.predict)(Array2::zeros((2, COLUMNS + 4)).view());
        let panic = catch_unwind(AssertUnwindSafe(predict)).expect_err("another width");
        let text = panic.downcast_ref::<String>().map_or("", String::as_str);
        assert!(text.contains('3') && text.contains('7'), "{}: {text:?}", subject.name);
    }
}

#[test]
fn an_observer_sees_the_fit_and_can_stop_it() {
    for subject in subjects() {
        let x = rows::<f64>(400);
        let mut stages = Vec::new();
        let mut watch = |progress: &Progress| {
            stages.push((progress.stage, progress.done, progress.total));
            ControlFlow::Continue(())
        };
        let watched = (subject.fit_f64)(&Table { records: x.view() }, &mut watch).expect("valid");
        same(&subject, "under an observer", &watched, &subject.fitted(x.view()));
        assert!(!stages.is_empty(), "{} tells nothing", subject.name);
        for (stage, done, total) in stages {
            assert!(total.is_none_or(|total| done <= total), "{}: {stage} {done} of {total:?}", subject.name);
        }
        let mut stop = |_: &Progress| ControlFlow::Break(());
        let stopped = (subject.fit_f64)(&Table { records: x.view() }, &mut stop).map(|fitted| fitted.labels);
        // EM and nets give what they have by then.
        let gives = subject.kind.is_sequence()
            || ["Lstm", "Gru", "Rnn"].iter().any(|net| subject.name.starts_with(net));
        assert!(
            gives && stopped.is_ok() || matches!(stopped, Err(Error::Stopped { .. })),
            "{}: {stopped:?}",
            subject.name
        );
    }
}

#[test]
fn a_panic_of_the_observer_comes_through_and_the_next_fit_is_whole() {
    for subject in subjects() {
        let x = rows::<f64>(400);
        let before = subject.fitted(x.view());
        let mut fails = |_: &Progress| -> ControlFlow<()> { panic!("the observer's own") };
        let fit = || (subject.fit_f64)(&Table { records: x.view() }, &mut fails).map(|_| ());
        let panic = catch_unwind(AssertUnwindSafe(fit)).expect_err("the panic comes through");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the observer's own"), "{}", subject.name);
        same(&subject, "after a panic", &before, &subject.fitted(x.view()));
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_stored_model_is_the_same_model() {
    fn in_type<F: Number>(subject: &Subject) {
        let fitted = subject.fitted(rows::<F>(400).view());
        assert!(fitted.restored == fitted.text, "{}", subject.name);
    }
    for subject in subjects() {
        in_type::<f32>(&subject);
        in_type::<f64>(&subject);
    }
}

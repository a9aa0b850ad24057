//! Parameter sets and models come back from their files as they were; whatever else a file holds is an error that says what.
#![cfg(feature = "serde")]

use sapwood::data::{ClassIndex, Sequences};
use sapwood::hmm::{Categorical, Gaussian, GaussianMixture, Poisson};
use sapwood::linfa::{Dataset, DatasetBase, traits::Fit};
use sapwood::markov::TransitionCounts;
use sapwood::ndarray::{Array1, Array2, array};
use sapwood::recurrent::{LstmCell, Recurrent};
use sapwood::stored::Stored;
use sapwood::{
    CategoricalHmm, CategoricalNb, Dbscan, Error, GaussianHmm, GaussianMixtureHmm, Gru, LinearDiscriminant,
    LogisticRegression, Lstm, MarkovChain, PoissonHmm, QuadraticDiscriminant, Rnn, io,
};
use serde::Serialize;
use std::fmt::Debug;

/// Bytes of the header before the name of the kind.
const NAME_AT: usize = 14;

/// Saves and loads; the copy is the same to the last digit, and so are its bytes.
fn survives<M: Stored + Debug>(model: &M) {
    let bytes = io::to_bytes(model).unwrap();
    let copy = io::from_bytes::<M>(&bytes).unwrap_or_else(|error| panic!("{}: {error}", M::kind()));
    assert_eq!(format!("{model:?}"), format!("{copy:?}"));
    assert_eq!(io::to_bytes(&copy).unwrap(), bytes);
    damaged_bytes_are_errors_or_valid::<M>(&bytes);
}

/// Cut anywhere it is an error; with any byte changed it is an error or a model that holds, never a panic.
fn damaged_bytes_are_errors_or_valid<M: Stored>(bytes: &[u8]) {
    for end in 0..bytes.len().min(400) {
        assert!(io::from_bytes::<M>(&bytes[..end]).is_err(), "{} cut at {end}", M::kind());
    }
    assert!(io::from_bytes::<M>(&bytes[..bytes.len() - 1]).is_err());
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(io::from_bytes::<M>(&longer).is_err());
    let mut changed = bytes.to_vec();
    for at in 0..changed.len().min(2000) {
        for flip in [0x01, 0x80, 0xff] {
            changed[at] ^= flip;
            if let Ok(model) = io::from_bytes::<M>(&changed) {
                model.validate().unwrap();
            }
            changed[at] ^= flip;
        }
    }
}

fn points() -> Array2<f64> {
    Array2::from_shape_fn((24, 2), |(i, j)| (i % 3 * 8) as f64 + ((i * 7 + j * 5) % 11) as f64 * 0.1)
}

fn dbscan() -> Dbscan<f64> {
    Dbscan::params(3).eps(0.9).fit(&DatasetBase::from(points())).unwrap()
}

fn symbols() -> DatasetBase<Sequences<sapwood::ndarray::OwnedRepr<usize>>, ()> {
    let x = Array2::from_shape_fn((40, 1), |(i, _)| (i * i / 7) % 3);
    DatasetBase::new(Sequences::new(x, vec![25, 15]).unwrap(), ())
}

fn measurements() -> DatasetBase<Sequences<sapwood::ndarray::OwnedRepr<f64>>, ()> {
    let x = Array2::from_shape_fn((60, 2), |(i, j)| {
        f64::from(u8::from(i / 10 % 2 == 0)) * 5.0 + ((i * 13 + j * 7) % 17) as f64 * 0.1
    });
    DatasetBase::new(Sequences::new(x, vec![40, 20]).unwrap(), ())
}

fn classified() -> Dataset<f64, String, sapwood::ndarray::Ix1> {
    let x = points();
    let classes: Array1<String> = x
        .rows()
        .into_iter()
        .map(|row| if row[0] + 0.3 * row[1] > 8.1 { "far" } else { "near" }.into())
        .collect();
    Dataset::new(x, classes)
}

fn logistic() -> LogisticRegression<f64, String> {
    LogisticRegression::params().fit(&classified()).unwrap()
}

fn lstm() -> Lstm<f32> {
    Lstm::untrained(&Lstm::params(3).n_layers(2).bidirectional(true), 2, 2).unwrap()
}

#[test]
fn every_parameter_set_comes_back() {
    survives(&Dbscan::params(4).eps(0.25).metric(sapwood::dbscan::Metric::Cosine));
    survives(&MarkovChain::<String>::params().states(vec!["a".into(), "b".into()]).pseudo_count(0.5));
    survives(&CategoricalHmm::<usize>::params(2).n_symbols(3));
    survives(&PoissonHmm::<usize>::params(2).rate_prior(2.0, 1.0));
    survives(&GaussianHmm::<f32>::params(2).covariance(sapwood::hmm::Covariance::Full));
    survives(&GaussianMixtureHmm::<f64>::params(2).n_components(3));
    survives(&LogisticRegression::params().alpha(0.1).offset(array![[1.0], [2.0]].view()));
    survives(&LinearDiscriminant::params());
    survives(&QuadraticDiscriminant::params());
    survives(&CategoricalNb::params().alpha(2.0));
    survives(&Lstm::<f32>::params(5).early_stopping(3, 0.1));
    survives(&Gru::<f64>::params(5).truncate(10));
    survives(&Rnn::<f64>::params(5).n_layers(2));
}

/// A setter takes what it is given; a file with a broken rule in it is not read, as it would not be fitted.
#[test]
fn a_parameter_set_that_breaks_a_rule_is_not_read() {
    fn refused<M: Stored>(params: &M, rule: &str) {
        let error = message::<M>(&io::to_bytes(params).unwrap());
        assert!(error.contains(rule), "{}: {error}", M::kind());
    }
    use sapwood::discriminant::Shrinkage;
    use sapwood::optim::{Clip, Schedule};
    refused(&Dbscan::params(0), "`min_samples` must be at least 1, got 0");
    refused(&MarkovChain::<String>::params().pseudo_count(-1.0), "`pseudo_count` must be");
    refused(&CategoricalHmm::<usize>::params(0), "`n_states` must be");
    refused(&PoissonHmm::<usize>::params(2).rate_floor(-1.0), "`rate_floor` must be");
    refused(&GaussianHmm::<f32>::params(2).tol(f64::NAN), "`tol` must be");
    refused(&GaussianMixtureHmm::<f64>::params(2).n_components(0), "`n_components` must be");
    refused(&LinearDiscriminant::params().shrinkage(Shrinkage::Ball(2.0)), "`shrinkage` must be");
    refused(&CategoricalNb::params().alpha(-2.0), "`alpha` must be");
    refused(&LogisticRegression::params().l1_ratio(2.0), "`l1_ratio` must be between 0 and 1, got 2");
    refused(&LogisticRegression::params().alpha(f64::NAN), "`alpha` must be");
    refused(&LogisticRegression::params().tol(-1.0), "`tol` must be");
    refused(&Lstm::<f32>::params(0), "`n_hidden` must be in 1..=16384, got 0");
    refused(&Lstm::<f32>::params(5).learning_rate(f64::NAN), "`learning_rate` must be");
    refused(&Gru::<f64>::params(5).batch_size(0), "`batch_size` must be");
    refused(&Gru::<f64>::params(5).schedule(Schedule::Step { every: 0, factor: 0.5 }), "`every` must be");
    refused(&Rnn::<f64>::params(5).clip(Some(Clip::Norm(-1.0))), "`clip` must be");
    refused(&Rnn::<f64>::params(5).early_stopping(0, 0.5), "`early_stopping` must be");
}

#[test]
fn every_model_comes_back() {
    survives(&dbscan());
    let x = points().mapv(|x| x * 0.01);
    let places = Dbscan::params(3).eps(0.1).metric(sapwood::dbscan::Metric::Haversine);
    survives(&places.fit(&DatasetBase::from(x)).unwrap());
    survives(&Dbscan::params(2).fit_neighbours(4, |row| [(row + 1) % 4, (row + 3) % 4]).unwrap());
    for part in sapwood::dbscan::partition(&points(), 0.9, 2).unwrap() {
        survives(&Dbscan::params(3).eps(0.9).cluster_part(&part).unwrap());
    }
    let labels = ["sun", "rain", "sun", "sun", "snow"].map(String::from);
    let days = Sequences::single(Array2::from_shape_vec((5, 1), labels.to_vec()).unwrap()).unwrap();
    survives(&TransitionCounts::new(&days).unwrap());
    survives(&MarkovChain::params().fit(&DatasetBase::new(days, ())).unwrap());
    survives(&CategoricalHmm::<usize>::params(2).fit(&symbols()).unwrap());
    survives(&PoissonHmm::<usize>::params(2).fit(&symbols()).unwrap());
    use sapwood::hmm::Covariance::{Diagonal, Full, Spherical, Tied};
    for covariance in [Spherical, Diagonal, Full, Tied] {
        survives(&GaussianHmm::params(2).covariance(covariance).fit(&measurements()).unwrap());
    }
    survives(&GaussianMixtureHmm::params(2).fit(&measurements()).unwrap());
    survives(&logistic());
    survives(&LinearDiscriminant::params().fit(&classified()).unwrap());
    survives(&QuadraticDiscriminant::params().fit(&classified()).unwrap());
    let categories = Dataset::new(array![[0, 1], [1, 0], [1, 1], [0, 0]], array![true, false, false, true]);
    survives(&CategoricalNb::params().fit(&categories).unwrap());
    survives(&lstm());
    survives(&Gru::<f64>::untrained(&Gru::params(3), 2, 1).unwrap());
    survives(&Rnn::<f64>::untrained(&Rnn::params(3), 2, 1).unwrap());
    let tokens = DatasetBase::new(symbols().records, Array1::from_shape_fn(2, |i| format!("class {i}")));
    let model: Recurrent<f64, LstmCell, ClassIndex<String>> =
        Lstm::params(3).embedding(2).n_epochs(2).fit(&tokens).unwrap();
    survives(&model);
}

#[test]
fn a_loaded_model_answers_as_before() {
    let path = std::env::temp_dir().join(format!("sapwood_model_files_{}", std::process::id()));
    let query = points() + 0.05;
    io::save(&path, &dbscan()).unwrap();
    let copy: Dbscan<f64> = io::load(&path).unwrap();
    assert_eq!(copy.try_predict(&query).unwrap(), dbscan().try_predict(&query).unwrap());
    // Saving replaces.
    io::save(&path, &logistic()).unwrap();
    let copy: LogisticRegression<f64, String> = io::load(&path).unwrap();
    assert_eq!(copy.predict_proba(&query).unwrap(), logistic().predict_proba(&query).unwrap());
    std::fs::remove_file(&path).unwrap();
    let error = io::load::<Dbscan<f64>>(&path).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    let error = io::load::<Dbscan<f64>>(std::env::temp_dir()).unwrap_err();
    assert!(error.to_string().ends_with("expected a file, found a directory"), "{error}");
}

fn message<M: Stored>(bytes: &[u8]) -> String {
    match io::from_bytes::<M>(bytes) {
        Ok(_) => panic!("{} was read", M::kind()),
        Err(error @ Error::Format { .. }) => error.to_string(),
        Err(error) => panic!("another kind of error: {error}"),
    }
}

/// Bad input 83.
#[test]
fn n83_a_wrong_magic_is_named() {
    let mut bytes = io::to_bytes(&dbscan()).unwrap();
    bytes[3] ^= 1;
    let expected = "<memory>: byte 0: expected a model file of sapwood, found another beginning";
    assert_eq!(message::<Dbscan<f64>>(&bytes), expected);
    assert_eq!(message::<Dbscan<f64>>(b"x,y,z\n1,2,3\n"), expected);
    assert_eq!(
        message::<Dbscan<f64>>(b""),
        "<memory>: byte 0: expected a model file of sapwood, found an end after 0 of 8 bytes"
    );
}

/// Bad input 84.
#[test]
fn n84_a_newer_version_is_named() {
    let mut bytes = io::to_bytes(&dbscan()).unwrap();
    bytes[10] = 9;
    assert_eq!(
        message::<Dbscan<f64>>(&bytes),
        "<memory>: byte 10: expected a Dbscan<f64> of version 1, found version 9, of a sapwood that is newer"
    );
    bytes[10] = 0;
    assert!(message::<Dbscan<f64>>(&bytes).ends_with("found version 0, of a sapwood that is older"));
    bytes[8] = 2;
    assert_eq!(
        message::<Dbscan<f64>>(&bytes),
        "<memory>: byte 8: expected a layout of version 1, found 2, that of a newer sapwood"
    );
}

/// Bad input 85.
#[test]
fn n85_a_truncated_file_says_how_much_is_there() {
    let bytes = io::to_bytes(&dbscan()).unwrap();
    let at = NAME_AT + "Dbscan<f64>".len();
    let body = bytes.len() - at - 8;
    assert_eq!(
        message::<Dbscan<f64>>(&bytes[..bytes.len() - 7]),
        format!("<memory>: byte {}: expected a body of {body} bytes, found {} bytes", at + 8, body - 7)
    );
    let mut longer = bytes.clone();
    longer.extend([0; 5]);
    assert!(message::<Dbscan<f64>>(&longer).ends_with(&format!("{body} bytes, found {} bytes", body + 5)));
}

/// The bytes of a file that says it is a `kind`, around any body.
fn forged(kind: &str, body: &impl Serialize) -> Vec<u8> {
    let body = postcard::to_allocvec(body).unwrap();
    let mut bytes = b"\x89sapwood\x01\x00\x01\x00".to_vec();
    bytes.extend((kind.len() as u16).to_le_bytes());
    bytes.extend(kind.as_bytes());
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(body);
    bytes
}

/// Bad input 86: every length that a file can lie about.
#[test]
fn n86_a_length_bomb_is_an_error_and_no_allocation() {
    let good = io::to_bytes(&dbscan()).unwrap();
    let mut kind = good.clone();
    kind[12..14].copy_from_slice(&u16::MAX.to_le_bytes());
    assert!(message::<Dbscan<f64>>(&kind).contains("at most 1024 bytes, found 65535 bytes"));
    let mut body = good.clone();
    let at = NAME_AT + "Dbscan<f64>".len();
    body[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(message::<Dbscan<f64>>(&body).contains("expected a body of 18446744073709551615 bytes"));
    // An array that says it has 2^60 labels.
    let bomb = forged("Dbscan<f64>", &(1.0, 0_u8, 1_u8, 1_u64 << 60, 1_u64 << 60));
    assert!(message::<Dbscan<f64>>(&bomb).contains("expected a Dbscan<f64>"));
    let bomb = forged("ClassIndex<String>", &(u64::MAX,));
    assert!(message::<ClassIndex<String>>(&bomb).contains("expected a ClassIndex<String>"));
    // One array whose shape overflows.
    let bomb = forged("Poisson<f64>", &(1_u8, (1_u64 << 40, 1_u64 << 40), vec![1.0]));
    assert!(message::<Poisson<f64>>(&bomb).contains("expected a valid Poisson<f64>"));
}

/// Bad input 87: encodings that are whole, of content that is not.
#[test]
fn n87_a_broken_invariant_is_named() {
    let chain = |initial: [f64; 2], starts: [usize; 3], columns: Vec<usize>, values: Vec<f64>| {
        let alphabet = (vec![0_usize, 1],);
        let bytes =
            forged("MarkovChain<usize>", &(alphabet, initial.to_vec(), (starts.to_vec(), columns, values)));
        io::from_bytes::<MarkovChain<usize>>(&bytes).map_err(|error| error.to_string())
    };
    assert!(chain([1.0, 0.0], [0, 1, 2], vec![1, 0], vec![1.0, 1.0]).is_ok());
    for broken in [
        chain([1.0, 0.5], [0, 1, 2], vec![1, 0], vec![1.0, 1.0]),
        chain([1.0, 0.0], [0, 1, 2], vec![1, 0], vec![1.0, 0.7]),
        chain([1.0, 0.0], [0, 1, 2], vec![1, 0], vec![f64::NAN, 1.0]),
        chain([1.0, 0.0], [0, 1, 9], vec![1, 0], vec![1.0, 1.0]),
        chain([1.0, 0.0], [0, 2, 1], vec![1, 0], vec![1.0, 1.0]),
        chain([1.0, 0.0], [0, 1, 2], vec![7, 0], vec![1.0, 1.0]),
        chain([1.0, 0.0], [0, 1, 2], vec![0], vec![1.0, 1.0]),
    ] {
        let error = broken.unwrap_err();
        assert!(
            error.ends_with("a valid MarkovChain<usize>, found one whose parts do not fit together"),
            "{error}"
        );
    }

    let hmm = |a: Array2<f64>, labels: Vec<usize>| {
        let b = vec![0.5, 0.1, 0.5, 0.9];
        let body = (array![0.5, 0.5], a, (2_usize, b), labels, Option::<u8>::None);
        let bytes = forged("Hmm<Categorical<f64>, usize>", &body);
        io::from_bytes::<CategoricalHmm>(&bytes).map_err(|error| error.to_string())
    };
    assert!(hmm(array![[0.5, 0.5], [0.1, 0.9]], vec![0, 1]).is_ok());
    for broken in [
        hmm(array![[0.5, 0.6], [0.1, 0.9]], vec![0, 1]),
        hmm(array![[0.5, 0.5]], vec![0, 1]),
        hmm(array![[0.5, 0.5], [0.1, 0.9]], vec![0]),
    ] {
        let error = broken.unwrap_err();
        assert!(error.contains("a valid Hmm<Categorical<f64>, usize>, found one whose parts"), "{error}");
    }

    // NaN weights, and sizes that disagree.
    let report = |model: &LogisticRegression<f64, String>| *model.report();
    let logistic = |w: Array2<f64>, b: Array1<f64>, classes: &[&str]| {
        let bytes = forged("LogisticRegression<f64, String>", &(w, b, (classes,), report(&logistic())));
        io::from_bytes::<LogisticRegression<f64, String>>(&bytes).map_err(|error| error.to_string())
    };
    assert!(logistic(array![[1.0, 2.0]], array![0.0], &["a", "b"]).is_ok());
    for broken in [
        logistic(array![[1.0, f64::NAN]], array![0.0], &["a", "b"]),
        logistic(array![[1.0, 2.0]], array![0.0, 1.0], &["a", "b"]),
        logistic(array![[1.0, 2.0]], array![0.0], &["a", "b", "c"]),
        logistic(array![[1.0, 2.0]], array![0.0], &["b", "a"]),
    ] {
        let error = broken.unwrap_err();
        assert!(error.contains("a valid LogisticRegression<f64, String>, found one whose parts"), "{error}");
    }

    let mut net = lstm();
    net.parameters_mut()[3] = f32::NAN;
    let error = message::<Lstm<f32>>(&io::to_bytes(&net).unwrap());
    assert!(
        error.ends_with("a valid LSTM<f32, Values>, found one whose parts do not fit together"),
        "{error}"
    );

    let error = message::<sapwood::dbscan::DbscanParams>(&forged("DbscanParams", &(-1.0, 3_usize, 0_u8)));
    assert!(error.ends_with("one whose `eps` must be greater than 0, got -1"), "{error}");

    let gaussian = Gaussian::diagonal(array![[0.0, 1.0]].view(), array![[1.0, 2.0]].view()).unwrap();
    let mixture = GaussianMixture::new(array![[1.0]].view(), gaussian).unwrap();
    survives(&mixture);
    survives(&Categorical::<f32>::new(array![[0.25, 0.75]].view()).unwrap());
}

/// Bad input 88.
#[test]
fn n88_another_kind_is_named() {
    let bytes = io::to_bytes(&dbscan()).unwrap();
    assert_eq!(
        message::<MarkovChain<usize>>(&bytes),
        "<memory>: byte 14: expected a MarkovChain<usize>, found a Dbscan<f64>"
    );
    // Other numbers, other labels, another emission, another cell.
    assert!(message::<Dbscan<f32>>(&bytes).ends_with("expected a Dbscan<f32>, found a Dbscan<f64>"));
    let bytes = io::to_bytes(&logistic()).unwrap();
    assert!(message::<LogisticRegression<f64, usize>>(&bytes).ends_with("a LogisticRegression<f64, String>"));
    let bytes = io::to_bytes(&PoissonHmm::<usize>::params(2).fit(&symbols()).unwrap()).unwrap();
    assert!(message::<CategoricalHmm>(&bytes).ends_with("found a Hmm<Poisson<f64>, usize>"));
    assert!(message::<Gru<f32>>(&io::to_bytes(&lstm()).unwrap()).ends_with("found a LSTM<f32, Values>"));
}

//! sapwood among linfa's own: its data sets, cross-validation and metrics work on our models, and its models beside ours.

use std::error::Error as _;

use approx::assert_abs_diff_eq;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::linfa::metrics::{SilhouetteScore, ToConfusionMatrix};
use sapwood::linfa::prelude::*;
use sapwood::linfa::traits::Transformer;
use sapwood::linfa::{Dataset, DatasetBase, ParamGuard};
use sapwood::ndarray::{Array1, Array2};
use sapwood::{Dbscan, Error, LinearDiscriminant, LogisticRegression};

/// Two classes that overlap a little.
fn overlapping() -> Dataset<f64, bool, sapwood::ndarray::Ix1> {
    let x = Array2::from_shape_fn((120, 2), |(i, j)| {
        f64::from(u8::from(i % 2 == 0)) + ((i * (31 + j * 17)) % 97) as f64 / 60.0
    });
    Dataset::new(x, Array1::from_shape_fn(120, |i| i % 2 == 0)).with_feature_names(vec!["a", "b"])
}

#[test]
fn cross_validation_of_linfa_fits_and_scores_our_models() {
    // The last leaves no feature: it can only guess.
    let params = [
        LogisticRegression::params().alpha(1e-3),
        LogisticRegression::params(),
        LogisticRegression::params().alpha(1e6).l1_ratio(1.0),
    ];
    let mut data = overlapping();
    let accuracy: Array1<f32> = data
        .cross_validate_single(5, &params, |predicted, truth| {
            Ok::<_, sapwood::linfa::Error>(predicted.confusion_matrix(truth)?.accuracy())
        })
        .unwrap();
    assert!(accuracy[0] > 0.75 && accuracy[1] > 0.75, "{accuracy}");
    assert!(accuracy[2] < 0.6, "{accuracy}");
}

#[test]
fn an_invalid_parameter_comes_back_through_linfa() {
    let mut data = overlapping();
    let params = [LogisticRegression::params().alpha(-1.0)];
    let result: Result<Array1<f32>, Error> = data.cross_validate_single(3, &params, |_, _| Ok(0.0));
    assert_eq!(result.unwrap_err().to_string(), "`alpha` must be at least 0 and finite, got -1");
}

#[test]
fn splits_and_metrics_of_linfa_take_our_predictions() {
    let data = overlapping().shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(1));
    let (train, test) = data.split_with_ratio(0.75);
    for predicted in [
        LogisticRegression::params().fit(&train).unwrap().predict(&test),
        LinearDiscriminant::params().fit(&train).unwrap().predict(&test),
    ] {
        let matrix = predicted.confusion_matrix(&test).unwrap();
        assert!(matrix.accuracy() > 0.75 && matrix.mcc() > 0.5, "{matrix:?}");
    }
    let model = LogisticRegression::params().fit(&train).unwrap();
    let p = model.predict_proba(test.records()).unwrap();
    let pr = p.column(1).mapv(|p| sapwood::linfa::dataset::Pr::new(p as f32));
    let roc = pr.as_slice().unwrap().roc(test.targets().as_slice().unwrap()).unwrap();
    let ours = sapwood::score::Thresholds::new(&test.targets().to_vec(), &p.column(1).to_vec()).unwrap();
    assert_abs_diff_eq!(f64::from(roc.area_under_curve()), ours.roc_auc(), epsilon = 1e-2);
}

#[test]
fn our_labels_are_targets_of_linfa() {
    let x = Array2::from_shape_fn((60, 2), |(i, j)| (i % 3 * 10) as f64 + ((i * (j + 5)) % 7) as f64 * 0.1);
    let labelled = Dbscan::params(3).eps(0.5).transform(DatasetBase::from(x.clone())).unwrap();
    let numbered = DatasetBase::new(x, labelled.targets().mapv(|label| label.map_or(usize::MAX, |l| l)));
    let silhouette: f64 = numbered.silhouette_score().unwrap();
    assert!(silhouette > 0.8, "{silhouette}");
}

#[test]
fn an_error_of_ours_is_a_standard_error() {
    let error = Dbscan::params(0).check().unwrap_err();
    assert!(error.source().is_none());
    let boxed: Box<dyn std::error::Error + Send + Sync> = error.into();
    assert_eq!(boxed.to_string(), "`min_samples` must be at least 1, got 0");
}

//! What classifiers and nets look like.

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::data::Sequences;
use sapwood::linfa::{Dataset, DatasetBase, traits::Fit, traits::Predict};
use sapwood::ndarray::{Array1, Array2};
use sapwood::plot::Figure;
use sapwood::score::{Thresholds, reliability};
use sapwood::{LogisticRegression, Lstm, Rnn};

use crate::Named;

/// Three kinds told apart by six measurements of which two say nothing.
pub(crate) fn classes(rng: &mut Xoshiro256PlusPlus) -> sapwood::Result<Vec<Named>> {
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

/// Nets that learn, and what is left of their gradients.
pub(crate) fn nets() -> sapwood::Result<Vec<Named>> {
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

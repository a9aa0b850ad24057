//! Recurrent nets: gradients against differences, one step at a time against a whole sequence, short fits.

use sapwood::Params;
use sapwood::data::Sequences;
use sapwood::linfa::DatasetBase;
use sapwood::linfa::traits::Fit;
use sapwood::ndarray::{Array1, Array2};
use sapwood::optim::{Adam, Clip, RmsProp, Rule, Schedule, Sgd};
use sapwood::recurrent::{
    Cell, Dropout, GruCell, LstmCell, PeepholeLstmCell, Recurrent, RecurrentParams, RnnCell,
};

use super::Bytes;

pub(crate) fn target(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    match bytes.below(4) {
        0 => run::<LstmCell>(&mut bytes),
        1 => run::<PeepholeLstmCell>(&mut bytes),
        2 => run::<GruCell>(&mut bytes),
        _ => run::<RnnCell>(&mut bytes),
    }
}

fn run<C: Cell>(bytes: &mut Bytes<'_>) {
    let (kind, d, outputs) = (bytes.below(4), 1 + bytes.below(3), 1 + bytes.below(3));
    let (units, layers, both_ways) = (1 + bytes.below(9), 1 + bytes.below(2), bytes.below(3) == 1);
    let lengths: Vec<usize> = (0..1 + bytes.below(3)).map(|_| 1 + bytes.below(5)).collect();
    let n: usize = lengths.iter().sum();
    let params =
        |seed| Recurrent::<f64, C>::params(units).n_layers(layers).bidirectional(both_ways).seed(seed);
    let seed = u64::from(bytes.byte());
    match kind {
        0 | 1 => {
            let mut net = Recurrent::<f64, C>::untrained(&params(seed), d, outputs).expect("valid");
            let x = bytes.tame_table(n, d).mapv(|v| v / 8.0);
            let y = bytes.tame_table(n, outputs).mapv(|v| v / 8.0);
            let x = Sequences::new(x, lengths).expect("whole");
            let place = usize::from(u16::from_le_bytes(bytes.raw()));
            differences(&mut net, &x, &y, place);
            if !both_ways {
                stepwise(&net, &x);
            }
        }
        2 => {
            let (x, y) = (bytes.table(n, d), bytes.table(n, outputs));
            let data = DatasetBase::new(Sequences::new(x.clone(), lengths).expect("whole"), y);
            let Ok(model) = training(params(seed), bytes).fit(&data) else { return };
            assert!(model.losses().iter().all(|loss| loss.is_finite()));
            assert!(model.parameters().iter().all(|w| w.is_finite()));
            let answers = model.predict(data.records()).expect("its own rows");
            assert_eq!(answers.dim(), (n, outputs));
        }
        _ => {
            let tokens = 1 + bytes.below(6);
            let x = Array2::from_shape_simple_fn((n, 1), || bytes.below(tokens));
            let y: Array1<usize> = (0..n).map(|_| bytes.below(4)).collect();
            let data = DatasetBase::new(Sequences::new(x, lengths).expect("whole"), y);
            let params = training(params(seed), bytes).embedding(1 + bytes.below(3));
            let Ok(model) = params.fit(&data) else { return };
            let p = model.predict_proba(data.records()).expect("its own rows");
            for row in p.rows() {
                assert!((row.sum() - 1.0).abs() < 1e-9 && row.iter().all(|p| *p >= 0.0), "{row}");
            }
            let _ = model.sample(&[0], 4, bytes.number(), 3).is_ok();
        }
    }
}

fn training<C: Cell>(
    params: Params<RecurrentParams<f64, C>>,
    bytes: &mut Bytes<'_>,
) -> Params<RecurrentParams<f64, C>> {
    let rule: Rule = match bytes.below(3) {
        0 => Adam::default().into(),
        1 => RmsProp::default().into(),
        _ => Sgd { momentum: bytes.number(), ..Sgd::default() }.into(),
    };
    let mut params = params.rule(rule).n_epochs(bytes.below(4)).batch_size(bytes.below(4));
    match bytes.below(10) {
        0 => params = params.learning_rate(bytes.number()),
        1 => params = params.clip(Clip::Norm(bytes.number())),
        2 => params = params.clip(Clip::Value(bytes.number())),
        3 => params = params.dropout(Dropout { before: bytes.number(), between: 0.5, after: 0.1 }),
        4 => params = params.truncate(bytes.below(4)),
        5 => params = params.early_stopping(bytes.below(3), bytes.number()),
        6 => params = params.schedule(Schedule::Cosine { last: bytes.number() }),
        7 => params = params.schedule(Schedule::Step { every: bytes.below(3), factor: bytes.number() }),
        _ => {}
    }
    params
}

/// One entry of the gradient, and one of the inputs', against a central difference.
fn differences<C: Cell>(
    net: &mut Recurrent<f64, C>,
    x: &Sequences<sapwood::ndarray::OwnedRepr<f64>>,
    y: &Array2<f64>,
    place: usize,
) {
    let gradient = net.gradients(x, y, None).expect("valid");
    assert!(gradient.loss.is_finite());
    let i = place % net.parameters().len();
    // Padding has no gradient and no meaning.
    if gradient.parameters[i] == 0.0 {
        return;
    }
    let before = net.parameters()[i];
    let mut loss_at = |delta: f64| {
        net.parameters_mut()[i] = before + delta;
        net.gradients(x, y, None).expect("valid").loss
    };
    let step = 1e-5;
    let difference = (loss_at(step) - loss_at(-step)) / (2.0 * step);
    net.parameters_mut()[i] = before;
    let (found, scale) = (gradient.parameters[i], gradient.loss.max(1.0));
    assert!((found - difference).abs() < 1e-6 * scale, "{i}: {found} is not {difference}");
}

/// One observation at a time gives the answers of the whole sequence.
fn stepwise<C: Cell>(net: &Recurrent<f64, C>, x: &Sequences<sapwood::ndarray::OwnedRepr<f64>>) {
    let answers = net.predict(x).expect("valid");
    let mut stream = net.stream().expect("one direction");
    for i in 0..x.n_sequences() {
        stream.reset();
        for row in x.range(i).expect("a sequence") {
            let step = stream.step(&x.records().row(row).to_vec()).expect("a row");
            for (a, b) in step.iter().zip(answers.row(row)) {
                assert!((a - b).abs() < 1e-9, "{a} {b}");
            }
        }
    }
}

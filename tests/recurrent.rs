//! Recurrent nets: gradients by differences, sequences of any length, states, settings that must fail.

use sapwood::data::Sequences;
use sapwood::linfa::{
    DatasetBase,
    traits::{Fit, FitWith},
};
use sapwood::ndarray::{Array1, Array2, ArrayView2, OwnedRepr, array, s};
use sapwood::optim::{Adam, Clip, Rule, Schedule, Sgd};
use sapwood::recurrent::{Cell, Dropout, GruCell, LstmCell, PeepholeLstmCell, Recurrent, RnnCell};
use sapwood::{Error, Gru, Lstm, Rnn};
use std::ops::ControlFlow;

fn wave(n: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, columns), |(i, j)| ((i * columns + j) as f64 * 1.3).sin())
}

fn sequences(lengths: &[usize], columns: usize) -> Sequences<OwnedRepr<f64>> {
    Sequences::new(wave(lengths.iter().sum(), columns), lengths.to_vec()).unwrap()
}

/// Peepholes begin at 0, where they would hide mistakes.
fn open_peepholes<C: Cell>(net: &mut Recurrent<f64, C>) {
    for (name, shape) in net.tensor_names() {
        if name.starts_with("weight_peephole") {
            net.set_tensor(&name, wave(shape[0], 1).view()).unwrap();
        }
    }
}

/// Every entry of the gradient against a central difference.
fn check_gradient<C: Cell>(n_hidden: usize, n_layers: usize, bidirectional: bool) {
    let sequences = sequences(&[4, 1, 3], 2);
    let y = wave(8, 2);
    let settings = Recurrent::<f64, C>::params(n_hidden).n_layers(n_layers).bidirectional(bidirectional);
    let mut net = Recurrent::<f64, C>::untrained(&settings, 2, 2).unwrap();
    open_peepholes(&mut net);
    let gradient = net.gradients(&sequences, &y, None).unwrap();
    let mut n_checked = 0;
    for i in 0..net.parameters().len() {
        let mut loss_at = |delta: f64| {
            let before = net.parameters()[i];
            net.parameters_mut()[i] += delta;
            let loss = net.gradients(&sequences, &y, None).unwrap().loss;
            net.parameters_mut()[i] = before;
            loss
        };
        let step = 1e-5;
        let difference = (loss_at(step) - loss_at(-step)) / (2.0 * step);
        // Padding has no gradient and no meaning.
        if gradient.parameters[i] != 0.0 {
            assert!(
                (gradient.parameters[i] - difference).abs() < 1e-9,
                "{i}: {} is not {difference}",
                gradient.parameters[i]
            );
            n_checked += 1;
        }
    }
    let n_real: usize = net.tensor_names().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    assert!(n_checked <= n_real && n_checked * 10 >= n_real * 9, "{n_checked} of {n_real} have a gradient");
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    check_gradient::<LstmCell>(3, 1, false);
    check_gradient::<LstmCell>(2, 2, true);
    check_gradient::<PeepholeLstmCell>(3, 1, false);
    check_gradient::<PeepholeLstmCell>(2, 2, true);
    check_gradient::<GruCell>(3, 2, false);
    check_gradient::<GruCell>(2, 1, true);
    check_gradient::<RnnCell>(9, 1, false);
}

/// The equations of a cell, one number after another.
fn naive<C: Cell>(net: &Recurrent<f64, C>, x: ArrayView2<'_, f64>) -> Array2<f64> {
    let tensor = |name: &str| net.tensor(name).unwrap();
    let (w, u) = (tensor("weight_ih_l0"), tensor("weight_hh_l0"));
    let (b, c) = (tensor("bias_ih_l0"), tensor("bias_hh_l0"));
    let (head, head_bias) = (tensor("head.weight"), tensor("head.bias")[[0, 0]]);
    let peepholes = net.tensor("weight_peephole_l0");
    let n = u.ncols();
    let sigmoid = |a: f64| 1.0 / (1.0 + (-a).exp());
    let (mut h, mut memory) = (Array1::<f64>::zeros(n), Array1::<f64>::zeros(n));
    let mut outputs = Array2::zeros((x.nrows(), 1));
    for (t, x) in x.rows().into_iter().enumerate() {
        let from_x = w.dot(&x) + b.column(0);
        let from_h = u.dot(&h) + c.column(0);
        for j in 0..n {
            let a = |gate: usize| from_x[gate * n + j] + from_h[gate * n + j];
            match C::NAME {
                "LSTM" => {
                    memory[j] = sigmoid(a(1)) * memory[j] + sigmoid(a(0)) * a(2).tanh();
                    h[j] = sigmoid(a(3)) * memory[j].tanh();
                }
                "PeepholeLSTM" => {
                    let p = peepholes.as_ref().unwrap();
                    let (p_i, p_f, p_o) = (p[[j, 0]], p[[n + j, 0]], p[[2 * n + j, 0]]);
                    let before = memory[j];
                    memory[j] =
                        sigmoid(a(1) + p_f * before) * before + sigmoid(a(0) + p_i * before) * a(2).tanh();
                    h[j] = sigmoid(a(3) + p_o * memory[j]) * memory[j].tanh();
                }
                "GRU" => {
                    let candidate = (from_x[2 * n + j] + sigmoid(a(0)) * from_h[2 * n + j]).tanh();
                    h[j] = (1.0 - sigmoid(a(1))) * candidate + sigmoid(a(1)) * h[j];
                }
                _ => h[j] = a(0).tanh(),
            }
        }
        outputs[[t, 0]] = head.dot(&h)[0] + head_bias;
    }
    outputs
}

fn check_naive<C: Cell>() {
    // The largest passes its weights in parts.
    for n_hidden in [1, 2, 7, 8, 9, 16, 17, 33, 330] {
        let mut net = Recurrent::<f64, C>::untrained(&Recurrent::<f64, C>::params(n_hidden), 3, 1).unwrap();
        open_peepholes(&mut net);
        // From one sequence to more rows than a tile has.
        let lengths: Vec<usize> = (0..11).map(|i| 1 + (i * 5) % 7).collect();
        for n in [1, 2, 3, 5, 8, 11] {
            let sequences = sequences(&lengths[..n], 3);
            let y = net.predict(&sequences).unwrap();
            for i in 0..n {
                let expected = naive(&net, sequences.get(i).unwrap());
                let ours = y.slice(s![sequences.range(i).unwrap(), ..]);
                assert!((&ours - &expected).iter().all(|d| d.abs() < 1e-13), "{} {n_hidden} {n}", C::NAME);
            }
        }
    }
}

#[test]
fn the_fast_net_is_the_naive_net() {
    check_naive::<LstmCell>();
    check_naive::<PeepholeLstmCell>();
    check_naive::<GruCell>();
    check_naive::<RnnCell>();
}

#[test]
fn a_state_carries_on_and_a_reset_forgets() {
    let net = Gru::<f64>::untrained(&Gru::params(5).n_layers(2), 2, 1).unwrap();
    let whole = sequences(&[6, 6], 2);
    let y = net.predict(&whole).unwrap();
    let mut state = net.state(2);
    let part = |from: usize, to: usize| {
        let rows: Vec<usize> = (from..to).chain(6 + from..6 + to).collect();
        Sequences::new(whole.records().select(sapwood::ndarray::Axis(0), &rows), vec![to - from; 2]).unwrap()
    };
    let first = net.predict_from(&mut state, &part(0, 2)).unwrap();
    assert_eq!(first.row(0), y.row(0));
    state.reset(0);
    let rest = net.predict_from(&mut state, &part(2, 6)).unwrap();
    assert_eq!(rest.row(4), y.row(8), "the second sequence goes on");
    let alone = net.predict(&Sequences::single(whole.records().slice(s![2..6, ..])).unwrap()).unwrap();
    assert_eq!(rest.row(0), alone.row(0), "the first begins anew");
    assert!(net.predict_from(&mut net.state(3), &whole).is_err());
}

#[test]
fn a_stream_answers_as_the_whole_sequence() {
    let x = sequences(&[9], 2);
    let net = Lstm::<f64>::untrained(&Lstm::params(6).n_layers(3), 2, 2).unwrap();
    let y = net.predict(&x).unwrap();
    let mut stream = net.stream().unwrap();
    for round in 0..2 {
        for (x, y) in x.records().rows().into_iter().zip(y.rows()) {
            let ours = stream.step(&x.to_vec()).unwrap();
            assert!(ours.iter().zip(y).all(|(a, b)| (a - b).abs() < 1e-14), "round {round}");
        }
        stream.reset();
    }
    assert!(stream.step(&[1.0]).is_err());
    assert!(stream.step_token(0).is_err());
    assert!(Lstm::<f64>::untrained(&Lstm::params(2).bidirectional(true), 2, 2).unwrap().stream().is_err());
}

#[test]
fn the_seed_fixes_every_bit() {
    let data = DatasetBase::new(sequences(&[5, 7, 4, 6], 2), wave(22, 1));
    let dropout = Dropout { before: 0.1, between: 0.2, after: 0.3 };
    let fit = |seed| {
        Gru::params(6).n_layers(2).batch_size(2).n_epochs(5).dropout(dropout).seed(seed).fit(&data).unwrap()
    };
    assert_eq!(fit(1), fit(1));
    assert_ne!(fit(1).losses(), fit(2).losses());
}

/// Enough work for several threads, with every number of rows in a step.
fn check_threads<C: Cell + Send + Sync>() {
    let lengths: Vec<usize> = (0..33).map(|i| 1 + (i * 7) % 19).collect();
    let (sequences, y) = (sequences(&lengths, 3), wave(lengths.iter().sum(), 2));
    let data = DatasetBase::new(sequences, y);
    let settings = Recurrent::<f64, C>::params(72).batch_size(33).n_epochs(2).forget_bias(2.0);
    let with = |n_threads| {
        sapwood::with_threads(n_threads, || {
            let model = settings.fit(&data).unwrap();
            let y = model.predict(data.records()).unwrap();
            (model, y)
        })
    };
    let one = with(1);
    for n_threads in [2, 3, 5] {
        assert_eq!(one, with(n_threads), "{} on {n_threads} threads", C::NAME);
    }
}

#[test]
fn every_number_of_threads_gives_the_same_bits() {
    check_threads::<LstmCell>();
    check_threads::<PeepholeLstmCell>();
    check_threads::<GruCell>();
    check_threads::<RnnCell>();
}

#[test]
fn a_fit_goes_on_from_a_model() {
    let data = DatasetBase::new(sequences(&[5, 7], 2), Array1::from(vec!["up", "down"]));
    let settings = Gru::params(4).n_epochs(20).learning_rate(0.01);
    let first = settings.fit(&data).unwrap();
    let second = settings.fit_with(Some(first.clone()), &data).unwrap();
    assert!(second.losses()[0] < first.losses()[0]);
    assert_eq!(settings.fit_with(None, &data).unwrap(), first);
    assert!(settings.n_layers(2).fit_with(Some(first), &data).is_err(), "another net");
}

#[test]
fn layouts_do_not_change_the_answer() {
    let net = Lstm::<f64>::untrained(&Lstm::params(4), 3, 1).unwrap();
    let x = wave(7, 3);
    let y = net.predict(&Sequences::single(x.view()).unwrap()).unwrap();
    let fortran = x.t().as_standard_layout().into_owned();
    assert_eq!(net.predict(&Sequences::single(fortran.t()).unwrap()).unwrap(), y);
    let mirrored = x.slice(s![..;-1, ..]).to_owned();
    assert_eq!(net.predict(&Sequences::single(mirrored.slice(s![..;-1, ..])).unwrap()).unwrap(), y);
}

#[test]
fn truncation_learns_what_one_step_cannot_see() {
    // The target is the input before: with windows of one step only the state knows it.
    let x = Array2::from_shape_fn((400, 1), |(i, _)| f64::from(u8::from((i * i / 3) % 5 < 2)));
    let y = Array2::from_shape_fn((400, 1), |(i, _)| if i == 0 { 0.0 } else { x[[i - 1, 0]] });
    let settings = Lstm::params(8).n_epochs(30).learning_rate(0.01);
    let carried = settings
        .clone()
        .truncate(4)
        .fit(&DatasetBase::new(Sequences::single(x.clone()).unwrap(), y.clone()))
        .unwrap();
    let blind =
        settings.batch_size(20).fit(&DatasetBase::new(Sequences::new(x, vec![1; 400]).unwrap(), y)).unwrap();
    let last = |losses: &[f64]| losses[losses.len() - 1];
    assert!(last(carried.losses()) < 0.01, "{:?}", carried.losses());
    assert!(last(blind.losses()) > 0.1);
}

#[test]
fn early_stopping_keeps_the_best() {
    let data = DatasetBase::new(sequences(&[6; 10], 1), wave(60, 1));
    let model = Rnn::params(4).n_epochs(500).learning_rate(0.05).early_stopping(5, 0.3).fit(&data).unwrap();
    let losses = model.validation_losses();
    assert!(losses.len() < 500 && losses.len() == model.losses().len());
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(losses[losses.len() - 6], best);
    let held = Sequences::new(data.records().records().slice(s![42.., ..]), vec![6; 3]).unwrap();
    let error =
        (model.predict(&held).unwrap() - data.targets().slice(s![42.., ..])).mapv(|e| e * e).mean().unwrap();
    assert!((error - best).abs() < 1e-12);
}

#[test]
fn an_observer_sees_the_losses_and_can_stop() {
    let data = DatasetBase::new(sequences(&[6; 4], 1), wave(24, 1));
    let mut seen = Vec::new();
    let model = Gru::params(3)
        .n_epochs(4)
        .fit_observed(&data, &mut |progress: &sapwood::observe::Progress| {
            seen.push(progress.objective.unwrap());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, model.losses());
}

/// Stopped after two epochs of many, it is the net of two epochs; with early stopping, the best of those.
#[test]
fn a_net_that_was_stopped_gives_what_it_has() {
    let data = DatasetBase::new(sequences(&[6; 4], 1), wave(24, 1));
    let base = || Gru::<f64>::params(3).learning_rate(0.5);
    for params in [base(), base().early_stopping(9, 0.3)] {
        let mut stop = |progress: &sapwood::observe::Progress| match progress.done {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let stopped = params.clone().n_epochs(50).fit_observed(&data, &mut stop).unwrap();
        assert_eq!(stopped.losses().len(), 2);
        assert_eq!(stopped, params.n_epochs(2).fit(&data).unwrap());
    }
}

#[test]
fn n60_n61_n63_n64_n65_settings_outside_their_domain_are_errors() {
    let data = DatasetBase::new(sequences(&[3, 3], 1), wave(6, 1));
    let base = || Lstm::params(2).n_epochs(1);
    for (settings, name) in [
        (Lstm::params(0), "n_hidden"),
        (Lstm::params(1 << 40), "n_hidden"),
        (base().n_layers(0), "n_layers"),
        (base().batch_size(0), "batch_size"),
        (base().n_epochs(0), "n_epochs"),
        (base().learning_rate(0.0), "learning_rate"),
        (base().learning_rate(-1.0), "learning_rate"),
        (base().learning_rate(f64::NAN), "learning_rate"),
        (base().learning_rate(f64::INFINITY), "learning_rate"),
        (base().rule(Adam { beta1: 1.0, ..Adam::default() }), "beta1"),
        (base().rule(Rule::AdamW(Adam { beta2: f64::NAN, ..Adam::default() })), "beta2"),
        (base().clip(Clip::Norm(0.0)), "clip"),
        (base().clip(Clip::Value(-1.0)), "clip"),
        (base().dropout(Dropout { after: 1.0, ..Dropout::default() }), "dropout"),
        (base().truncate(0), "truncate"),
        (base().truncate(2).bidirectional(true), "truncate"),
        (base().early_stopping(0, 0.5), "early_stopping"),
        (base().early_stopping(1, 1.0), "early_stopping"),
        (base().early_stopping(1, 0.99), "early_stopping"),
        (base().forget_bias(f64::NAN), "forget_bias"),
        (base().schedule(Schedule::Step { every: 0, factor: 0.5 }), "every"),
    ] {
        let message = settings.fit(&data).unwrap_err().to_string();
        assert!(message.starts_with(&format!("`{name}` must be")), "{name}: {message}");
    }
}

#[test]
fn n59_data_that_do_not_fit_are_errors() {
    let settings = || Lstm::<f64>::params(2).n_epochs(1);
    let x = || sequences(&[3, 3], 1);
    assert!(settings().fit(&DatasetBase::new(x(), wave(5, 1))).is_err(), "neither rows nor sequences");
    assert!(settings().fit(&DatasetBase::new(x(), Array2::zeros((6, 0)))).is_err(), "no output");
    assert!(settings().fit(&DatasetBase::new(x(), array![[f64::NAN], [0.0]])).is_err());
    let bad = Sequences::single(array![[1.0], [f64::INFINITY]]).unwrap();
    assert!(matches!(
        settings().fit(&DatasetBase::new(bad, wave(2, 1))),
        Err(Error::NonFinite { row: 1, .. })
    ));
    assert!(
        settings().truncate(2).fit(&DatasetBase::new(x(), wave(2, 1))).is_err(),
        "one target for a sequence"
    );
    assert!(Sequences::new(wave(3, 1), vec![3, 0]).is_err(), "a sequence of no steps");
    let model = settings().fit(&DatasetBase::new(x(), wave(6, 1))).unwrap();
    assert!(model.predict(&sequences(&[2], 2)).is_err(), "another number of columns");
    let tokens = Sequences::single(array![[0_usize], [1]]).unwrap();
    assert!(model.predict(&tokens).is_err(), "tokens where floats were");
    let words =
        Gru::<f64>::params(2).n_epochs(1).fit(&DatasetBase::new(tokens, array![true, false])).unwrap();
    let error = words.predict(&Sequences::single(array![[2_usize]]).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "`token` must be below 2, got 2");
}

#[test]
fn n62_a_loss_that_explodes_names_epoch_batch_and_parameter() {
    let data = DatasetBase::new(sequences(&[20; 4], 1).map_large(), wave(80, 1));
    let settings =
        Rnn::params(8).cell(RnnCell::Relu).rule(Sgd::default()).learning_rate(1e6).clip(None).n_epochs(200);
    let message = settings.fit(&data).unwrap_err().to_string();
    assert!(
        message.contains("epoch") && message.contains("batch") && message.contains("`weight_"),
        "{message}"
    );
}

trait Large {
    fn map_large(self) -> Self;
}

impl Large for Sequences<OwnedRepr<f64>> {
    fn map_large(self) -> Self {
        Sequences::new(self.records() * 1e3, self.lengths().to_vec()).unwrap()
    }
}

#[test]
fn gates_that_are_driven_to_an_end_are_reported() {
    let mut net = Lstm::<f64>::untrained(&Lstm::params(4), 1, 1).unwrap();
    let bias = net.tensor("bias_ih_l0").unwrap() + 20.0;
    net.set_tensor("bias_ih_l0", bias.view()).unwrap();
    for report in net.gate_saturation(&sequences(&[5, 3], 1)).unwrap() {
        assert_eq!((report.high, report.low, report.layer), (1.0, 0.0, 0), "{}", report.gate);
    }
}

#[test]
fn the_state_of_another_net_is_an_error() {
    let net = |n_hidden, n_layers| {
        Lstm::<f64>::untrained(&Lstm::params(n_hidden).n_layers(n_layers), 2, 1).unwrap()
    };
    let sequences = sequences(&[3, 2], 2);
    for other in [net(4, 1), net(3, 2), net(4, 2)] {
        let error = net(3, 1).predict_from(&mut other.state(2), &sequences).unwrap_err();
        assert!(matches!(error, Error::Shape { name: "state", .. }), "{error}");
    }
    let gru = Gru::<f64>::untrained(&Gru::params(3), 2, 1).unwrap();
    assert!(net(3, 1).predict_from(&mut gru.state(2), &sequences).is_err());
}

#[cfg(feature = "serde")]
#[test]
fn a_stored_net_with_a_broken_invariant_is_an_error() {
    use serde_json::{Value, json};
    let labels = Array1::from_vec(vec![0_usize, 1, 2, 1]);
    let data = DatasetBase::new(sequences(&[2, 1, 3, 2], 2), labels);
    let model = Lstm::params(3).n_layers(2).n_epochs(1).fit(&data).unwrap();
    type Model = Lstm<f64, sapwood::data::ClassIndex<usize>>;
    let whole = serde_json::to_value(&model).unwrap();
    assert_eq!(serde_json::from_value::<Model>(whole.clone()).unwrap(), model);
    let broken = |place: &str, value: Value| {
        let mut other = whole.clone();
        *other.pointer_mut(place).unwrap_or_else(|| panic!("{place} is not there")) = value;
        serde_json::from_value::<Model>(other).expect_err(place).to_string()
    };
    broken("/net/layers", json!([]));
    broken("/net/layers/0", json!([]));
    broken("/net/layers/0/0/n_hidden", json!(4));
    broken("/net/layers/0/0/n_hidden", json!(u64::MAX));
    broken("/net/layers/0/0/n_inputs", json!(0));
    broken("/net/layers/1/0/at", json!(0));
    broken("/net/layers/1/0/n_inputs", json!(9));
    broken("/net/head/n_outputs", json!(1_u64 << 40));
    broken("/net/head/at", json!(u64::MAX));
    broken("/net/embedding", json!({"n_tokens": 5, "n_dims": 2, "at": 0}));
    broken("/targets/classes", json!([0, 1]));
    broken("/params", json!([0.5]));
    let whole_params = whole["params"].as_array().unwrap().len();
    assert!(broken("/params", json!(vec![0.5; whole_params + 1])).contains("entries"));

    // JSON knows no NaN; postcard does.
    let (mut sick, fine) = (model.clone(), postcard::to_allocvec(&model).unwrap());
    assert_eq!(postcard::from_bytes::<Model>(&fine).unwrap(), model);
    sick.parameters_mut()[5] = f64::NAN;
    assert!(postcard::from_bytes::<Model>(&postcard::to_allocvec(&sick).unwrap()).is_err());

    let state = serde_json::to_value(model.state(2)).unwrap();
    assert!(serde_json::from_value::<sapwood::recurrent::State<f64>>(state.clone()).is_ok());
    let mut none = state;
    none["hidden"] = json!([]);
    assert!(serde_json::from_value::<sapwood::recurrent::State<f64>>(none).is_err());
}

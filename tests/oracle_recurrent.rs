//! Recurrent nets and optimisers against PyTorch in f64: `tests/fixtures/make_recurrent.py` says how the numbers were made.

use sapwood::data::{ClassIndex, Sequences};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array1, Array2, ArrayView2};
use sapwood::optim::{Adam, RmsProp, Rule, Schedule, Sgd, State, clip_norm};
use sapwood::recurrent::{Cell, Gradients, Recurrent, RnnCell};
use sapwood::{Gru, Lstm, Rnn};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/recurrent.json")).expect("valid JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn size(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a size")).unwrap()
}

/// A tensor as a matrix; a vector is one column.
fn matrix(value: &Value) -> Array2<f64> {
    let shape: Vec<usize> = value["shape"].as_array().unwrap().iter().map(size).collect();
    let shape = (shape[0], shape.get(1).copied().unwrap_or(1));
    Array2::from_shape_vec(shape, numbers(&value["data"])).unwrap()
}

fn assert_close(ours: ArrayView2<'_, f64>, torch: &Array2<f64>, tolerance: f64, what: &str) {
    assert_eq!(ours.dim(), torch.dim(), "{what}");
    for (ours, torch) in ours.iter().zip(torch) {
        assert!((ours - torch).abs() <= tolerance * torch.abs().max(1.0), "{what}: {ours} is not {torch}");
    }
}

fn sequences(case: &Value) -> Sequences<sapwood::ndarray::OwnedRepr<f64>> {
    let lengths = case["lengths"].as_array().unwrap().iter().map(size).collect();
    Sequences::new(matrix(&case["x"]), lengths).unwrap()
}

/// Settings, tensors, and a look at the gradients, for either kind of target.
fn check<C: Cell, T>(
    case: &Value,
    mut net: Recurrent<f64, C, T>,
    outputs: impl Fn(&Recurrent<f64, C, T>) -> Array2<f64>,
    gradients: impl Fn(&Recurrent<f64, C, T>) -> Gradients<f64>,
) {
    let name = case["name"].as_str().unwrap();
    let tensors = case["params"].as_object().unwrap();
    assert_eq!(net.tensor_names().len(), tensors.len(), "{name}");
    for (tensor, values) in tensors {
        net.set_tensor(tensor, matrix(values).view()).unwrap();
        assert_eq!(net.tensor(tensor).unwrap(), matrix(values), "{name} {tensor}");
    }
    assert_close(outputs(&net).view(), &matrix(&case["outputs"]), 1e-12, name);

    let ours = gradients(&net);
    assert!((ours.loss - case["loss"].as_f64().unwrap()).abs() < 1e-12, "{name}");
    for (tensor, gradient) in &ours.tensors {
        assert_close(gradient.view(), &matrix(&case["grads"][tensor]), 1e-12, &format!("{name} {tensor}"));
    }
    assert_close(ours.inputs.view(), &matrix(&case["dx"]), 1e-12, &format!("{name} dx"));

    let (rule, mut state) = (Rule::from(Adam::default()), State::new());
    for (step, loss) in numbers(&case["adam_losses"]).into_iter().enumerate() {
        let mut gradients = gradients(&net);
        assert!(
            (gradients.loss - loss).abs() < 1e-10,
            "{name} step {step}: {} is not {loss}",
            gradients.loss
        );
        clip_norm(&mut gradients.parameters, 0.3).unwrap();
        rule.update(0.05, net.parameters_mut(), &gradients.parameters, &mut state).unwrap();
    }
}

fn check_cell<C: Cell>(
    case: &Value,
    cell: impl Fn(
        sapwood::Params<sapwood::recurrent::RecurrentParams<f64, C>>,
    ) -> sapwood::Params<sapwood::recurrent::RecurrentParams<f64, C>>,
) {
    let options = &case["options"];
    let settings = cell(Recurrent::<f64, C>::params(size(&case["n_hidden"])))
        .n_layers(options["num_layers"].as_u64().map_or(1, |n| usize::try_from(n).unwrap()))
        .bidirectional(options["bidirectional"] == true)
        .n_epochs(1);
    let sequences = sequences(case);
    if case["kind"] == "values" {
        let targets = matrix(&case["y"]);
        let net = settings.fit(&DatasetBase::new(sequences.clone(), targets.clone())).unwrap();
        let mut state = net.state(sequences.n_sequences());
        for (key, memory) in [("h0", false), ("c0", true)] {
            match (case.get(key), memory) {
                (None, _) => {}
                (Some(values), false) => state.set_hidden(0, matrix(values).view()).unwrap(),
                (Some(values), true) => state.set_memory(0, matrix(values).view()).unwrap(),
            }
        }
        let state = case.get("h0").map(|_| state);
        check(
            case,
            net,
            |net| match &state {
                Some(state) => net.predict_from(&mut state.clone(), &sequences).unwrap(),
                None => net.predict(&sequences).unwrap(),
            },
            |net| net.gradients(&sequences, &targets, state.as_ref()).unwrap(),
        );
    } else {
        let targets: Array1<usize> = case["y"]["data"].as_array().unwrap().iter().map(size).collect();
        let n_classes = size(&case["n_outputs"]);
        assert_eq!(ClassIndex::new(targets.view()).unwrap().n_classes(), n_classes, "every class occurs");
        let net = settings.fit(&DatasetBase::new(sequences.clone(), targets.clone())).unwrap();
        let outputs = |net: &Recurrent<f64, C, ClassIndex<usize>>| {
            // The softmax of both, as log-odds against the first class.
            net.predict_proba(&sequences).unwrap().mapv(f64::ln)
        };
        let torch = matrix(&case["outputs"]);
        let mut case = case.clone();
        let log_sums = torch.map_axis(sapwood::ndarray::Axis(1), |row| row.mapv(f64::exp).sum().ln());
        let logs = &torch - &log_sums.insert_axis(sapwood::ndarray::Axis(1));
        case["outputs"]["data"] = logs.iter().copied().collect::<Vec<_>>().into();
        check(&case, net, outputs, |net| net.gradients(&sequences, &targets, None).unwrap());
    }
}

#[test]
fn outputs_gradients_and_twenty_adam_steps_are_those_of_torch() {
    for case in fixture()["cases"].as_array().unwrap() {
        match case["cell"].as_str().unwrap() {
            "LSTM" => check_cell::<sapwood::recurrent::LstmCell>(case, |settings| settings),
            "GRU" => check_cell::<sapwood::recurrent::GruCell>(case, |settings| settings),
            _ if case["options"]["nonlinearity"] == "relu" => {
                check_cell::<RnnCell>(case, |settings| settings.cell(RnnCell::Relu));
            }
            _ => check_cell::<RnnCell>(case, |settings| settings),
        }
    }
    let _ = (Lstm::<f64>::params(1), Gru::<f64>::params(1), Rnn::<f64>::params(1));
}

#[test]
fn two_hundred_steps_of_every_rule_are_those_of_torch() {
    for case in fixture()["optimisers"].as_array().unwrap() {
        let (name, rule) = (case["name"].as_str().unwrap(), &case["rule"]);
        let number = |key: &str, default: f64| rule[key].as_f64().unwrap_or(default);
        let (momentum, weight_decay) = (number("momentum", 0.0), number("weight_decay", 0.0));
        let adam = Adam {
            beta1: number("beta1", 0.9),
            beta2: number("beta2", 0.999),
            eps: number("eps", 1e-8),
            weight_decay,
        };
        let ours = match rule["kind"].as_str().unwrap() {
            "sgd" => Rule::Sgd(Sgd { momentum, nesterov: rule["nesterov"] == true, weight_decay }),
            "rmsprop" => Rule::RmsProp(RmsProp {
                alpha: number("alpha", 0.99),
                momentum,
                centered: rule["centered"] == true,
                weight_decay,
                ..RmsProp::default()
            }),
            "adam" => Rule::Adam(adam),
            _ => Rule::AdamW(adam),
        };
        let (scale, mut w) = (numbers(&case["scale"]), numbers(&case["start"]));
        let (mut state, mut seen) = (State::new(), Vec::new());
        for t in 0..200 {
            let push = 0.01 * (f64::from(t % 7) - 3.0);
            let g: Vec<f64> = w.iter().zip(&scale).map(|(w, s)| s * w * w * w + 0.1 * w + push).collect();
            ours.update(number("rate", 0.0), &mut w, &g, &mut state).unwrap();
            if t % 50 == 49 || t < 3 {
                seen.push(w.clone());
            }
        }
        let torch: Vec<Vec<f64>> = case["trace"].as_array().unwrap().iter().map(numbers).collect();
        assert_eq!(seen.len(), torch.len());
        for (ours, torch) in seen.iter().flatten().zip(torch.iter().flatten()) {
            assert!((ours - torch).abs() <= 1e-14, "{name}: {ours} is not {torch}");
        }
    }
}

#[test]
fn schedules_are_those_of_torch() {
    for case in fixture()["schedules"].as_array().unwrap() {
        let schedule = match case["name"].as_str().unwrap() {
            "step" => Schedule::Step { every: 3, factor: 0.5 },
            "cosine" => Schedule::Cosine { last: 0.1 },
            _ => Schedule::OneCycle { rise: 0.3, first: 1.0 / 25.0, last: 1.0 / 250_000.0 },
        };
        let rates = numbers(&case["rates"]);
        for (t, rate) in rates.iter().enumerate() {
            let ours = schedule.share(t, rates.len(), &[]);
            assert!((ours - rate).abs() < 1e-12, "{} at {t}: {ours} is not {rate}", case["name"]);
        }
    }
}

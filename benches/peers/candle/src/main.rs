//! Times candle's LSTM on a case of `recurrent.py`, which calls it: `peers-candle lstm hidden inputs batch steps FOLDER`.
//!
//! The same weights and inputs as everybody's; it refuses to go on where its outputs differ. Build with `RUSTFLAGS="-C target-cpu=native"`: candle
//! finds the machine's instruction sets when it is compiled.

use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::rnn::{LSTMConfig, LSTMState, RNN, lstm};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder, linear, loss::mse};

fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    bytes.chunks_exact(4).map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]])).collect()
}

/// Seconds of one call: the fastest of five rounds of about 20 ms.
fn seconds(mut call: impl FnMut()) -> f64 {
    call();
    let start = Instant::now();
    call();
    let n = ((0.02 / start.elapsed().as_secs_f64()) as usize).clamp(1, 2000);
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        (0..n).for_each(|_| call());
        best = best.min(start.elapsed().as_secs_f64() / n as f64);
    }
    best
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, _, sizes @ .., folder] = &arguments[..] else { panic!("lstm hidden inputs batch steps folder") };
    let sizes: Vec<usize> = sizes.iter().map(|size| size.parse().unwrap()).collect();
    let (&[hidden, inputs, batch, steps], folder) = (&sizes[..], Path::new(folder)) else { panic!("sizes") };
    let cpu = Device::Cpu;
    let weights = candle_core::safetensors::load(folder.join("net.safetensors"), &cpu)?;
    // Variables, so that a gradient is kept for them.
    let variables: Vec<(String, Var)> =
        weights.iter().map(|(name, w)| Ok((name.clone(), Var::from_tensor(w)?))).collect::<Result<_>>()?;
    let tensors = variables.iter().map(|(name, w)| (name.clone(), w.as_tensor().clone())).collect();
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &cpu);
    let net = lstm(inputs, hidden, LSTMConfig::default(), vb.clone())?;
    let head = linear(hidden, 1, vb.pp("head"))?;
    let x = Tensor::from_vec(floats(&folder.join("x")), (batch, steps, inputs), &cpu)?;
    let forward = || head.forward(&net.states_to_tensor(&net.seq(&x)?)?);

    let y = forward()?.flatten_all()?.to_vec1::<f32>()?;
    let worst = y.iter().zip(floats(&folder.join("y"))).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "outputs differ by {worst}");
    // Answers alone keep no graph.
    let plain = candle_core::safetensors::load(folder.join("net.safetensors"), &cpu)?;
    let vb = VarBuilder::from_tensors(plain, DType::F32, &cpu);
    let (plain, plain_head) = (lstm(inputs, hidden, LSTMConfig::default(), vb.clone())?, linear(hidden, 1, vb.pp("head"))?);
    let answer = || plain_head.forward(&plain.states_to_tensor(&plain.seq(&x)?)?);
    println!("forward {:.4e}", seconds(|| drop(answer().unwrap())));
    if batch == 1 {
        let one = x.narrow(1, 0, 1)?.squeeze(1)?;
        let mut state: LSTMState = plain.zero_state(1)?;
        let step = seconds(|| {
            state = plain.step(&one, &state).unwrap();
            plain_head.forward(state.h()).unwrap();
        });
        println!("step {step:.4e}");
    }
    let target = Tensor::full(0.5_f32, (batch, steps, 1), &cpu)?;
    let settings = ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut adam = AdamW::new(variables.into_iter().map(|(_, w)| w).collect(), settings)?;
    let train = seconds(|| adam.backward_step(&mse(&forward().unwrap(), &target).unwrap()).unwrap());
    println!("train {train:.4e}");
    Ok(())
}

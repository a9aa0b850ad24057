"""Recurrent nets: ours against PyTorch, onnxruntime and candle, one thread, f32, the same weights, inputs and answers in the same run.

    cargo bench --no-run --bench recurrent
    python benches/peers/recurrent.py <the path that cargo printed> [cell ...] [--hidden 16,32] [--batch 1,32] [--steps 50] [--onnx] [--candle program]

For each case the script writes PyTorch's weights, inputs and outputs into a folder; our program loads them, refuses to go on where its outputs differ,
and prints its times. Torch: inference mode for the forward pass, and for the training step the faster of the plain and the fused Adam.
onnxruntime and candle: the LSTM. onnxruntime with bound inputs and outputs; candle by benches/peers/candle, built for the machine.
"""

import argparse
import os
import pathlib
import struct
import subprocess
import tempfile
import time

import torch

torch.set_num_threads(1)


def safetensors(path, tensors):
    """The format is a length, a JSON header and the numbers."""
    import json

    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def seconds(n, call):
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(n):
            call()
        best = min(best, (time.perf_counter() - start) / n)
    return best


def calls(call):
    call()
    start = time.perf_counter()
    call()
    return max(1, min(2000, int(0.02 / (time.perf_counter() - start))))


def onnxruntime(net, head, x, y):
    """Forward and, for one sequence, the streaming step, which onnxruntime is told the state of and tells it back."""
    import numpy
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    (batch, steps, inputs), hidden = x.shape, net.hidden_size
    # Rows i, f, g, o to i, o, f, g.
    reorder = lambda w: numpy.concatenate([w.detach().numpy().reshape(4, hidden, -1)[g] for g in (0, 3, 1, 2)])[None]
    bias = numpy.concatenate([reorder(net.bias_ih_l0), reorder(net.bias_hh_l0)], axis=1)[:, :, 0]
    weights = {"w": reorder(net.weight_ih_l0), "r": reorder(net.weight_hh_l0), "b": bias}
    weights |= {"head_w": head.weight.detach().numpy().T.copy(), "head_b": head.bias.detach().numpy()}
    real = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    def session(steps):
        nodes = [
            helper.make_node("LSTM", ["x", "w", "r", "b", "", "h", "c"], ["all", "h_next", "c_next"], hidden_size=hidden),
            helper.make_node("Squeeze", ["all", "axis"], ["rows"]),
            helper.make_node("MatMul", ["rows", "head_w"], ["product"]),
            helper.make_node("Add", ["product", "head_b"], ["y"]),
        ]
        state = lambda *names: [real(name, 1, batch, hidden) for name in names]
        constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
        constants.append(numpy_helper.from_array(numpy.array([1]), "axis"))
        ins, outs = [real("x", steps, batch, inputs), *state("h", "c")], [real("y", steps, batch, 1), *state("h_next", "c_next")]
        model = helper.make_model(helper.make_graph(nodes, "lstm", ins, outs, constants), opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        value = lambda a: onnxruntime.OrtValue.ortvalue_from_numpy(numpy.ascontiguousarray(a))
        zeros = numpy.zeros((1, batch, hidden), "f4")
        values = {"x": value(x.numpy().transpose(1, 0, 2)[:steps]), "h": value(zeros), "c": value(zeros)}
        values |= {"y": value(numpy.zeros((steps, batch, 1), "f4")), "h_next": value(zeros), "c_next": value(zeros)}
        binding = session.io_binding()
        for name in ("x", "h", "c"):
            binding.bind_ortvalue_input(name, values[name])
        for name in ("y", "h_next", "c_next"):
            binding.bind_ortvalue_output(name, values[name])
        return lambda: session.run_with_iobinding(binding), values

    forward, values = session(steps)
    forward()
    worst = abs(values["y"].numpy().transpose(1, 0, 2) - y.numpy()).max()
    assert worst < 1e-5, f"outputs differ by {worst}"
    times = {"forward": seconds(calls(forward), forward)}
    if batch == 1:
        step, _ = session(1)
        times["step"] = seconds(calls(step), step)
    return times


def case(options, cell, hidden, inputs, batch, steps):
    program, peers = options.program, {}
    torch.manual_seed(0)
    module = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell]
    net, head = module(inputs, hidden, batch_first=True), torch.nn.Linear(hidden, 1)
    x = torch.rand(batch, steps, inputs) * 2 - 1
    target = torch.full((batch, steps, 1), 0.5)
    with torch.inference_mode():
        y = head(net(x)[0])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        named = dict(net.named_parameters()) | {"head." + k: v for k, v in head.named_parameters()}
        safetensors(folder / "net.safetensors", named)
        (folder / "x").write_bytes(x.numpy().tobytes())
        (folder / "y").write_bytes(y.numpy().tobytes())
        sizes = [str(n) for n in (hidden, inputs, batch, steps)]
        text = subprocess.run([program, cell, *sizes, str(folder)], check=True, capture_output=True, text=True).stdout
        if options.candle and cell == "lstm":
            # One thread, as everybody.
            alone = os.environ | {"RAYON_NUM_THREADS": "1"}
            lines = subprocess.run([options.candle, cell, *sizes, str(folder)], check=True, capture_output=True, text=True, env=alone).stdout
            peers["candle"] = {line.split()[0]: float(line.split()[1]) for line in lines.splitlines()}
    ours = {line.split("/")[1]: float(line.split()[1]) for line in text.splitlines()}
    if options.onnx and cell == "lstm":
        peers["onnxruntime"] = onnxruntime(net, head, x, y)

    def forward():
        with torch.inference_mode():
            head(net(x)[0])

    theirs = {"forward": seconds(calls(forward), forward)}
    if batch == 1:
        one, state = x[:, :1], None

        def step():
            nonlocal state
            with torch.inference_mode():
                out, state = net(one, state)
                head(out)

        theirs["step"] = seconds(calls(step), step)
    parameters = [*net.parameters(), *head.parameters()]
    theirs["train"] = float("inf")
    for fused in (False, True):
        adam = torch.optim.Adam(parameters, fused=fused)

        def train():
            adam.zero_grad()
            torch.nn.functional.mse_loss(head(net(x)[0]), target).backward()
            adam.step()

        theirs["train"] = min(theirs["train"], seconds(calls(train), train))
    peers = {"torch": theirs} | peers
    for what in theirs:
        name = f"{what}/{cell}/h{hidden}/i{inputs}/b{batch}/t{steps}"
        text = f"{name:38} ours {ours[what]:.3e}"
        for peer, times in peers.items():
            if what in times:
                text += f"  {peer} {times[what]:.3e} {times[what] / ours[what]:6.2f}x"
        print(text, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("cells", nargs="*", default=["lstm"])
    parser.add_argument("--hidden", default="16,32,64,128,256,512")
    parser.add_argument("--inputs", default="32")
    parser.add_argument("--batch", default="1,32")
    parser.add_argument("--steps", default="50")
    parser.add_argument("--onnx", action="store_true")
    parser.add_argument("--candle")
    options = parser.parse_args()
    numbers = lambda text: [int(n) for n in text.split(",")]
    print("torch", torch.__version__, "threads", torch.get_num_threads())
    for cell in options.cells:
        for batch in numbers(options.batch):
            for steps in numbers(options.steps):
                for hidden in numbers(options.hidden):
                    for inputs in numbers(options.inputs):
                        case(options, cell, hidden, inputs, batch, steps)

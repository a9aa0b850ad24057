"""Recurrent nets: ours against PyTorch, one thread, f32, the same weights, inputs and answers in the same run.

    cargo bench --no-run --bench recurrent
    python benches/peers/recurrent.py <the path that cargo printed> [cell ...] [--hidden 16,32] [--batch 1,32] [--steps 50]

For each case the script writes PyTorch's weights, inputs and outputs into a folder; our program loads them, refuses to go on where its outputs differ,
and prints its times. Torch: inference mode for the forward pass, and for the training step the faster of the plain and the fused Adam.
"""

import argparse
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


def case(program, cell, hidden, inputs, batch, steps):
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
    ours = {line.split("/")[1]: float(line.split()[1]) for line in text.splitlines()}

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
    for what, time_of_theirs in theirs.items():
        name = f"{what}/{cell}/h{hidden}/i{inputs}/b{batch}/t{steps}"
        print(f"{name:38} ours {ours[what]:.3e}  torch {time_of_theirs:.3e}  {time_of_theirs / ours[what]:7.2f}x", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("cells", nargs="*", default=["lstm"])
    parser.add_argument("--hidden", default="16,32,64,128,256,512")
    parser.add_argument("--inputs", default="32")
    parser.add_argument("--batch", default="1,32")
    parser.add_argument("--steps", default="50")
    options = parser.parse_args()
    numbers = lambda text: [int(n) for n in text.split(",")]
    print("torch", torch.__version__, "threads", torch.get_num_threads())
    for cell in options.cells:
        for batch in numbers(options.batch):
            for steps in numbers(options.steps):
                for hidden in numbers(options.hidden):
                    for inputs in numbers(options.inputs):
                        case(options.program, cell, hidden, inputs, batch, steps)

"""Times peers on the data that `cargo bench --bench logistic -- --write DIR` wrote, to the same gap from the same optimum.

Run: OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benches/peers/logistic.py DIR [name ..]; with PEER=newton-cg in the environment, the peers of that name alone.
Objective: sum of log-losses + 1/2 ||w||^2, free intercept (C = 1), or alpha ||w||_1 for the lasso. For each solver the loosest tolerance that comes within
1e-8 of the optimum (found by the bench, to 1e-13) is looked for, and then timed: least of up to five runs. `never` if none does. An objective below the
optimum by more than rounding is an error. torch and skglm take part where they are installed.
"""

import os
import pathlib
import sys
import time
import warnings

import numpy as np
import scipy.sparse
from sklearn.linear_model import LogisticRegression

try:
    import torch

    torch.set_num_threads(1)
except ImportError:
    torch = None
try:
    import skglm
except ImportError:
    skglm = None

warnings.simplefilter("ignore")
directory, wanted = pathlib.Path(sys.argv[1]), sys.argv[2:]


def objective(w, b, classes, x, y, l1):
    z = x @ w.T + b
    if z.shape[1] == 1:
        z = z[:, 0]
        losses = np.logaddexp(0, np.where(y == classes[1], -z, z))
    else:
        losses = np.logaddexp.reduce(z, axis=1) - z[np.arange(len(y)), np.searchsorted(classes, y)]
    return losses.sum() + (l1 * np.abs(w).sum() if l1 else 0.5 * (w**2).sum())


def scikit_learn(solver):
    def fit(x, y, l1, tol):
        extra = {"C": 1 / l1, "l1_ratio": 1.0} if l1 else {"C": 1.0}
        if solver == "liblinear":
            extra["intercept_scaling"] = 100.0
        model = LogisticRegression(solver=solver, tol=tol, max_iter=10_000, **extra).fit(x, y)
        return model.coef_, model.intercept_

    return fit


def skglm_fit(x, y, l1, tol):
    model = skglm.SparseLogisticRegression(alpha=l1 / len(y), tol=tol, max_iter=100, max_epochs=50_000).fit(x, y)
    return model.coef_.reshape(1, -1), np.atleast_1d(model.intercept_)


def torch_fit(x, y, l1, tol):
    xt, yt = torch.from_numpy(x), torch.from_numpy(y)
    k = 1 if y.max() == 1 else y.max() + 1
    w = torch.zeros(x.shape[1], k, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(k, dtype=torch.float64, requires_grad=True)
    rule = torch.optim.LBFGS(
        [w, b], max_iter=1000, tolerance_grad=0, tolerance_change=tol, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure():
        rule.zero_grad()
        z = torch.addmm(b, xt, w)
        if k == 1:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], yt.double(), reduction="sum")
        else:
            loss = torch.nn.functional.cross_entropy(z, yt, reduction="sum")
        # By the number of rows, or its first step is too long.
        loss = (loss + 0.5 * (w**2).sum()) / len(y)
        loss.backward()
        return loss

    rule.step(closure)
    return w.detach().numpy().T, b.detach().numpy()


def compare(name, x, y, peers, l1=0.0):
    if wanted and name not in wanted:
        return
    optimum = float((directory / f"{name}.optimum").read_text())
    classes = np.unique(y)
    for peer, fit in peers.items():
        if os.environ.get("PEER", "") not in peer:
            continue
        # What is compiled at the first call is compiled here.
        fit(x[:200], np.arange(200) % 2, l1 / len(y), 1e-1) if peer == "skglm" else None
        least = np.inf
        for tol in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12):
            start = time.perf_counter()
            model = fit(x, y, l1, tol)
            seconds = time.perf_counter() - start
            gap = (objective(*model, classes, x, y, l1) - optimum) / optimum
            assert gap > -1e-10, f"{name} {peer} is below the optimum: {gap}"
            least = min(least, gap)
            if gap <= 1e-8 or seconds > 10:
                break
        if gap > 1e-8:
            print(f"{name} {peer}: never (gap {least:.0e}), last {seconds:.4f} s", flush=True)
            continue
        for _ in range(4 if seconds < 1 else 1):
            start = time.perf_counter()
            fit(x, y, l1, tol)
            seconds = min(seconds, time.perf_counter() - start)
        print(f"{name} {peer}: {seconds:.5f} s at tol {tol:g}, gap {gap:.1e}", flush=True)


for path in sorted(directory.glob("*.x"), key=lambda p: p.stat().st_size):
    name, shape, _ = path.name.split(".")
    lasso = name.replace("dense", "lasso")
    if wanted and name not in wanted and lasso not in wanted:
        continue
    n, d = map(int, shape.split("x"))
    x = np.fromfile(path).reshape(n, d)
    y = np.fromfile(path.with_suffix(".y"), dtype=np.uint64).astype(int)
    solvers = ["lbfgs", "newton-cg"] + (["newton-cholesky"] if d * (y.max() + 1 if y.max() > 1 else 1) < 800 else [])
    peers = {f"scikit-learn {solver}": scikit_learn(solver) for solver in solvers}
    if torch:
        peers["torch LBFGS"] = torch_fit
    compare(name, x, y, peers)
    if name == "dense_1e4x1000":
        peers = {"scikit-learn liblinear": scikit_learn("liblinear")} | ({"skglm": skglm_fit} if skglm else {})
        compare(lasso, x, y, peers, 0.1 * np.abs(x.T @ (y - y.mean())).max())
for path in directory.glob("text.*.starts"):
    n, d = map(int, path.name.split(".")[1].split("x"))
    ints = [np.fromfile(path.with_suffix("." + part), dtype=np.uint64).astype(np.int32) for part in ("starts", "indices", "labels")]
    x = scipy.sparse.csr_matrix((np.fromfile(path.with_suffix(".values")), ints[1], ints[0]), shape=(n, d))
    y = ints[2]
    compare("text_1e5x1e5", x, y, {f"scikit-learn {solver}": scikit_learn(solver) for solver in ("lbfgs", "newton-cg")})
    peers = {"scikit-learn liblinear": scikit_learn("liblinear")} | ({"skglm": skglm_fit} if skglm else {})
    compare("lasso_text_1e5x1e5", x.tocsc() if skglm else x, y, peers, 0.1 * np.abs(x.T @ (y - y.mean())).max())

#!/usr/bin/env python3
"""The work of benches/hmm.rs through hmmlearn 0.3.3 or dynamax 1.0.3: nanoseconds per observation.

    cargo bench --bench hmm > ours.txt; python hmm.py ours.txt; python hmm.py ours.txt dynamax

Checks first that both gave the same answers, to 1e-10; then prints both times and their ratio. Of hmmlearn its own scaled C++ kernels are
timed, with likelihoods computed beforehand, while ours compute their own; for the Gaussians, `em` is a whole iteration of both (likelihoods,
kernels, sums). Of dynamax (in an environment of its own) the model's functions are timed, compiled by jit, in f64: they do the whole too.
"""

import sys
import time

import numpy as np

LENGTH = 100


class Lcg:
    def __init__(self, seed):
        self.state = seed

    def matrix(self, rows, columns):
        out = np.empty(rows * columns)
        for i in range(rows * columns):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
            out[i] = (self.state >> 11) / 2**53
        return out.reshape(rows, columns)


def normal(p):
    return p / p.sum(axis=1, keepdims=True)


def transitions(lcg, k):
    return normal(lcg.matrix(k, k) + 0.1 + np.eye(k) * (0.5 * k))


def best(f, runs=5):
    seconds = np.inf
    for _ in range(runs):
        start = time.perf_counter()
        answer = f()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds, answer() if callable(answer) else answer


def kernels(pi, a, b, lengths):
    """(score, em, viterbi) over likelihoods b, as functions."""
    from hmmlearn import _hmmc

    cuts = np.split(b, np.cumsum(lengths)[:-1])
    logs = [np.log(c) for c in cuts]

    def score():
        return sum(_hmmc.forward_scaling(pi, a, c)[0] for c in cuts)

    def em():
        total, diagonal = 0.0, 0.0
        for c in cuts:
            log, forward, scale = _hmmc.forward_scaling(pi, a, c)
            backward = _hmmc.backward_scaling(pi, a, c, scale)
            posteriors = forward * backward
            posteriors /= posteriors.sum(axis=1, keepdims=True)
            total += log
            diagonal += np.trace(_hmmc.compute_scaling_xi_sum(forward, a, backward, c))
        return total + diagonal

    def viterbi():
        return sum(_hmmc.viterbi(pi, a, log)[0] for log in logs)

    return score, em, viterbi


def work(is_asked):
    """Name, start, transitions, emission, observations, lengths."""
    if is_asked("long/k2"):
        lcg, n = Lcg(2), 10_000_000
        a, b = transitions(lcg, 2), normal(lcg.matrix(2, 4) + 0.1)
        yield "long/k2", np.full(2, 0.5), a, ("symbols", b), (lcg.matrix(n, 1) * 4).astype(int), [n]
    sizes = [(2, 200_000), (4, 200_000), (8, 100_000), (16, 50_000), (32, 20_000), (64, 8_000), (128, 3_000), (256, 1_000)]
    for k, n in sizes:
        lcg = Lcg(k)
        a, b = transitions(lcg, k), normal(lcg.matrix(k, 4) + 0.1)
        x = (lcg.matrix(n, 1) * 4).astype(int)
        if k <= 4:
            yield f"short/k{k}", np.full(k, 1 / k), a, ("symbols", b), x, [LENGTH] * (n // LENGTH)
        yield f"categorical/k{k}", np.full(k, 1 / k), a, ("symbols", b), x, [n]
    for k, n in [(8, 100_000), (32, 20_000)]:
        lcg = Lcg(1000 + k)
        band = (np.arange(k) - np.arange(k)[:, None]) % k < 3
        a = normal(np.where(band, transitions(lcg, k), 0.0))
        b = normal(lcg.matrix(k, 4) + 0.1)
        x = (lcg.matrix(n, 1) * 4).astype(int)
        yield f"band/k{k}", np.full(k, 1 / k), a, ("symbols", b), x, [n]
    for k, n in [(8, 100_000), (32, 20_000)]:
        lcg = Lcg(2000 + k)
        a = np.eye(k) * 0.75 + np.eye(k, k=1) * 0.25
        a[-1, -1] = 1.0
        b = normal(lcg.matrix(k, 4) + 0.1)
        x = (lcg.matrix(n, 1) * 4).astype(int)
        yield f"left_right/k{k}", np.full(k, 1 / k), a, ("symbols", b), x, [n]
    for d, k, n in [(1, 4, 50_000), (3, 8, 20_000), (10, 8, 10_000), (40, 8, 4_000)]:
        lcg = Lcg(d)
        a = transitions(lcg, k)
        means, variances = lcg.matrix(k, d) * 4, lcg.matrix(k, d) + 0.5
        low = (lcg.matrix(d, d) - 0.5) * 0.2 + np.eye(d)
        one = low @ low.T
        x = lcg.matrix(n, d) * 4
        covars = np.stack([one * (1 + 0.1 * j) for j in range(k)])
        for kind, spread in [("diag", variances), ("full", covars)]:
            yield f"{kind}/d{d}", np.full(k, 1 / k), a, (kind, means, spread), x, [n]


def of_hmmlearn(pi, a, emission, x, lengths):
    if emission[0] == "symbols":
        return kernels(pi, a, np.ascontiguousarray(emission[1].T[x[:, 0]]), lengths)
    from hmmlearn import hmm

    kind, means, spread = emission
    model = hmm.GaussianHMM(len(pi), kind, implementation="scaling", init_params="", covars_prior=0, covars_weight=0)
    model.startprob_, model.transmat_ = pi, a
    model.n_features, model.means_, model.covars_ = x.shape[1], means, spread

    def em():
        stats, log = model._do_estep(x, None)
        return log + np.trace(stats["trans"])

    return (lambda: model.score(x)), em, (lambda: model.decode(x)[0])


def of_dynamax(pi, a, emission, x, lengths):
    import jax
    from dynamax import hidden_markov_model as dynamax

    jax.config.update("jax_enable_x64", True)
    k = len(pi)
    key, start = jax.random.PRNGKey(0), {"initial_probs": jax.numpy.array(pi), "transition_matrix": jax.numpy.array(a)}
    if emission[0] == "symbols":
        model = dynamax.CategoricalHMM(k, 1, 4)
        params, _ = model.initialize(key, emission_probs=jax.numpy.array(emission[1])[:, None, :], **start)
        log_b = np.log(emission[1]).T[x[:, 0]]
    else:
        kind, means, spread = emission
        spread_arguments = {"emission_scale_diags": np.sqrt(spread)} if kind == "diag" else {"emission_covariances": spread}
        model = (dynamax.DiagonalGaussianHMM if kind == "diag" else dynamax.GaussianHMM)(k, x.shape[1])
        arguments = {name: jax.numpy.array(value) for name, value in {"emission_means": means, **spread_arguments}.items()}
        params, _ = model.initialize(key, **start, **arguments)
        log_b = None
    data = jax.numpy.array(x.reshape(len(lengths), lengths[0], x.shape[1]))

    def over_all(f):
        return jax.jit(jax.vmap(f, in_axes=(None, 0)))

    score, paths = over_all(model.marginal_log_prob), over_all(model.most_likely_states)
    sums = over_all(lambda params, x: model.e_step(params, x))

    def em():
        (_, steps, _), log = jax.block_until_ready(sums(params, data))
        return float(log.sum() + np.trace(np.asarray(steps).sum(axis=0)))

    def viterbi():
        states = np.asarray(jax.block_until_ready(paths(params, data)))

        def log_probability():
            # Our answer, of symbols; the paths of Gaussians are left to the comparison with hmmlearn.
            if log_b is None:
                return None
            steps = np.log(a)[states[:, :-1], states[:, 1:]].sum() + np.log(pi)[states[:, 0]].sum()
            return steps + log_b[np.arange(len(x)), states.ravel()].sum()

        return log_probability

    return (lambda: float(jax.block_until_ready(score(params, data)).sum())), em, viterbi


def main():
    ours = {}
    for line in open(sys.argv[1]):
        if line.startswith("hmm/"):
            name, nanoseconds, answer = line.split()
            ours[name] = (float(nanoseconds), float(answer))
    peer = sys.argv[2] if len(sys.argv) > 2 else "hmmlearn"
    functions_of = {"hmmlearn": of_hmmlearn, "dynamax": of_dynamax}[peer]
    print(f"{'case':32} {'sapwood':>10} {peer:>10}   ratio   (ns per observation)")

    def is_asked(name):
        return any(full.startswith(f"hmm/{name}/") for full in ours)

    for name, pi, a, emission, x, lengths in work(is_asked):
        if not is_asked(name):
            continue
        for what, function in zip(["score", "em", "viterbi"], functions_of(pi, a, emission, x, lengths)):
            full = f"hmm/{name}/{what}"
            if full not in ours:
                continue
            seconds, answer = best(function)
            time_ours, answer_ours = ours[full]
            same = answer is None or abs(answer - answer_ours) <= 1e-10 * abs(answer)
            assert same, (full, answer, answer_ours)
            theirs = seconds * 1e9 / len(x)
            print(f"{full:32} {time_ours:10.2f} {theirs:10.2f} {theirs / time_ours:7.1f}", flush=True)
        two = f"hmm/{name}/em_2_threads"
        if two in ours and peer == "hmmlearn":
            print(f"{two:32} {ours[two][0]:10.2f} {'':>10} {ours[f'hmm/{name}/em'][0] / ours[two][0]:7.2f} x one thread")


if __name__ == "__main__":
    main()

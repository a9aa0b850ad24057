#!/usr/bin/env python3
"""The work of benches/hmm.rs through hmmlearn 0.3.3: nanoseconds per observation of its own scaled C++ kernels.

    cargo bench --bench hmm > ours.txt; python hmm.py ours.txt

Checks first that both gave the same answers, to 1e-10; then prints both times and their ratio. The kernels are timed with likelihoods
computed beforehand, while ours compute their own; for the Gaussians, `em` is a whole iteration of both (likelihoods, kernels, sums).
"""

import sys
import time

import numpy as np
from hmmlearn import _hmmc, hmm

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
    return seconds, answer


def kernels(pi, a, b, lengths):
    """(score, em, viterbi) over likelihoods b, as functions."""
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


def cases():
    lcg, n = Lcg(2), 10_000_000
    a, b = transitions(lcg, 2), normal(lcg.matrix(2, 4) + 0.1)
    x = (lcg.matrix(n, 1)[:, 0] * 4).astype(int)
    yield "long/k2", n, kernels(np.full(2, 0.5), a, np.ascontiguousarray(b.T[x]), [n])
    sizes = [(2, 200_000), (4, 200_000), (8, 100_000), (16, 50_000), (32, 20_000), (64, 8_000), (128, 3_000), (256, 1_000)]
    for k, n in sizes:
        lcg = Lcg(k)
        a, b = transitions(lcg, k), normal(lcg.matrix(k, 4) + 0.1)
        x = (lcg.matrix(n, 1)[:, 0] * 4).astype(int)
        pi = np.full(k, 1 / k)
        frames = np.ascontiguousarray(b.T[x])
        if k <= 4:
            yield f"short/k{k}", n, kernels(pi, a, frames, [LENGTH] * (n // LENGTH))
        yield f"categorical/k{k}", n, kernels(pi, a, frames, [n])
    for d, k, n in [(1, 4, 50_000), (3, 8, 20_000), (10, 8, 10_000), (40, 8, 4_000)]:
        lcg = Lcg(d)
        a = transitions(lcg, k)
        means, variances = lcg.matrix(k, d) * 4, lcg.matrix(k, d) + 0.5
        low = (lcg.matrix(d, d) - 0.5) * 0.2 + np.eye(d)
        one = low @ low.T
        x = lcg.matrix(n, d) * 4
        covars = np.stack([one * (1 + 0.1 * j) for j in range(k)])
        for kind, spread in [("diag", variances), ("full", covars)]:
            model = hmm.GaussianHMM(k, kind, implementation="scaling", init_params="", covars_prior=0, covars_weight=0)
            model.startprob_, model.transmat_ = np.full(k, 1 / k), a
            model.n_features, model.means_, model.covars_ = d, means, spread

            def em(model=model, x=x):
                stats, log = model._do_estep(x, None)
                return log + np.trace(stats["trans"])

            yield f"{kind}/d{d}", n, (lambda m=model, x=x: m.score(x), em, lambda m=model, x=x: m.decode(x)[0])


def main():
    ours = {}
    for line in open(sys.argv[1]):
        if line.startswith("hmm/"):
            name, nanoseconds, answer = line.split()
            ours[name] = (float(nanoseconds), float(answer))
    print(f"{'case':32} {'sapwood':>10} {'hmmlearn':>10}   ratio   (ns per observation)")
    for name, n, functions in cases():
        for what, function in zip(["score", "em", "viterbi"], functions):
            full = f"hmm/{name}/{what}"
            if full not in ours:
                continue
            seconds, answer = best(function)
            time_ours, answer_ours = ours[full]
            assert abs(answer - answer_ours) <= 1e-10 * abs(answer), (full, answer, answer_ours)
            theirs = seconds * 1e9 / n
            print(f"{full:32} {time_ours:10.2f} {theirs:10.2f} {theirs / time_ours:7.1f}", flush=True)
        two = f"hmm/{name}/em_2_threads"
        if two in ours:
            print(f"{two:32} {ours[two][0]:10.2f} {'':>10} {ours[f'hmm/{name}/em'][0] / ours[two][0]:7.2f} x one thread")


if __name__ == "__main__":
    main()

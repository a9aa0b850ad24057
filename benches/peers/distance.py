"""The work of benches/distance.rs in NumPy, SciPy, scikit-learn, and those of faiss, SimSIMD, NumKong and usearch that are installed.

python benches/peers/distance.py [THREADS] [WORD]
(numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1, faiss-cpu 1.15.1, simsimd 6.5.16, numkong 7.8.6, usearch 2.26.6)

"numpy, unit" is the product of rows that are unit vectors already, "numpy" makes them so in its time.
A line each: name, peer, threads, milliseconds (the least of several runs), and a number of the result, which has to be that of
benches/distance.rs: the two draw the same points. OPENBLAS_CORETYPE is dropped from the environment: with it the peers are not at
their best.
"""

import os
import sys
import time

os.environ.pop("OPENBLAS_CORETYPE", None)
threads = sys.argv[1] if len(sys.argv) > 1 else "1"
word = sys.argv[2] if len(sys.argv) > 2 else ""
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = threads

import importlib  # noqa: E402

import numpy as np  # noqa: E402  (after the number of threads)
from scipy.spatial.distance import cdist  # noqa: E402
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances  # noqa: E402
from sklearn.neighbors import NearestNeighbors  # noqa: E402


def points(n, d, seed, dtype):
    """The xorshift generator of the bench: its steps are linear over bits, so a run of states is doubled at a time."""
    mask = (1 << 64) - 1

    def step(state):
        state ^= (state << 13) & mask
        state ^= state >> 7
        return state ^ ((state << 17) & mask)

    # Column b of the matrix of k steps is what k steps make of bit b.
    columns = np.array([step(1 << bit) for bit in range(64)], dtype=np.uint64)
    states = np.array([step(0x9E3779B97F4A7C15 * (seed + 1) & mask)], dtype=np.uint64)

    def apply(columns, states):
        out = np.zeros_like(states)
        for bit in range(64):
            out ^= np.where((states >> np.uint64(bit)) & np.uint64(1), columns[bit], np.uint64(0))
        return out

    while len(states) < n * d:
        states = np.concatenate([states, apply(columns, states)])[: n * d]
        columns = apply(columns, columns)
    return ((states >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1.0).reshape(n, d).astype(dtype)


def run(name, peer, work, result):
    if word not in name:
        return
    best, total, runs = np.inf, 0.0, 0
    while runs < 3 or (total < 0.5 and runs < 200):
        start = time.perf_counter()
        out = work()
        seconds = time.perf_counter() - start
        best, total, runs = min(best, seconds), total + seconds, runs + 1
    print(f"{name:<40} {peer:<13} {threads} {best * 1e3:>10.3f} {result(out):.6e}", flush=True)


def installed(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


faiss, simsimd, numkong, usearch = map(installed, ("faiss", "simsimd", "numkong", "usearch.index"))
if faiss:
    faiss.omp_set_num_threads(int(threads))


# Libraries of vector kernels, and what each calls the cosine distance.
kernels = [(peer, library, name) for peer, library, name in
           (("simsimd", simsimd, "cosine"), ("numkong", numkong, "angular")) if library]


def similarity(distances):
    return 1 - np.asarray(distances)


def wanted(*names):
    return any(word in name for name in names)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def gram(u):
    return u @ u.T


def corner(out):
    return out[0, -1]


for dtype, float_name in ((np.float64, "f64"), (np.float32, "f32")):
    for d in (3, 64, 384, 1536):
        names = [f"{name}/{d}/{float_name}" for name in
                 ("pairwise/cosine_similarity", "pairwise/euclidean", "between/cosine_similarity")]
        if not wanted(*names):
            continue
        x, y = points(2000, d, 0, dtype), points(2000, d, 1, dtype)
        u, v = unit(x), unit(y)
        run(names[0], "scikit-learn", lambda: cosine_similarity(x), corner)
        run(names[0], "numpy, unit", lambda: u @ u.T, corner)
        run(names[0], "numpy", lambda: gram(unit(x)), corner)
        run(names[1], "scikit-learn", lambda: euclidean_distances(x), corner)
        run(names[2], "scikit-learn", lambda: cosine_similarity(x, y), corner)
        run(names[2], "numpy, unit", lambda: u @ v.T, corner)
        run(names[2], "numpy", lambda: unit(x) @ unit(y).T, corner)
        for peer, library, cosine in kernels:
            run(names[2], peer, lambda: library.cdist(x, y, cosine), lambda out: corner(similarity(out)))
        if faiss and dtype == np.float32:
            run(names[2], "faiss, unit", lambda: faiss.pairwise_distances(u, v, faiss.METRIC_INNER_PRODUCT), corner)

metrics = {
    "cosine": {}, "euclidean": {}, "sqeuclidean": {}, "cityblock": {}, "chebyshev": {}, "canberra": {}, "braycurtis": {},
    "correlation": {}, "hamming": {}, "jensenshannon": {}, "minkowski_3": {"p": 3}, "minkowski_1.5": {"p": 1.5},
}
ours = {"sqeuclidean": "squared_euclidean", "cityblock": "manhattan", "braycurtis": "bray_curtis",
        "jensenshannon": "jensen_shannon"}
for dtype, float_name in ((np.float64, "f64"), (np.float32, "f32")):
    for metric, options in metrics.items():
        for d in (3, 32, 128):
            name = f"metric/{ours.get(metric, metric)}/{d}/{float_name}"
            if wanted(name):
                x, y = (np.abs(points(1000, d, seed, dtype)) for seed in (0, 1))
                run(name, "scipy", lambda: cdist(x, y, metric.split("_")[0], **options), corner)
        for n in (256, 1):
            name = f"in_cache/{ours.get(metric, metric)}/{n}/{float_name}"
            if wanted(name):
                x, y = (np.abs(points(n, 3, seed, dtype)) for seed in (0, 1))
                out = np.empty((n, n))

                def hundred():
                    for _ in range(100):
                        cdist(x, y, metric.split("_")[0], out=out, **options)
                    return out

                run(name, "scipy", hundred, corner)

if wanted("one_to_many/cosine_similarity/384/f32", "one_to_many/dot/384/f32"):
    x, query = points(100_000, 384, 0, np.float32), points(1, 384, 1, np.float32)
    run("one_to_many/cosine_similarity/384/f32", "scikit-learn", lambda: cosine_similarity(query, x), corner)
    run("one_to_many/dot/384/f32", "numpy", lambda: x @ query[0], lambda out: out[-1])
    for peer, library, cosine in kernels:
        run("one_to_many/cosine_similarity/384/f32", peer, lambda: library.cdist(query, x, cosine),
            lambda out: corner(similarity(out)))

if wanted("top_10/cosine/128/f32", "top_10/dot/128/f32"):
    x, queries = points(100_000, 128, 0, np.float32), points(10_000, 128, 1, np.float32)
    brute = NearestNeighbors(n_neighbors=10, algorithm="brute", metric="cosine").fit(x)
    run("top_10/cosine/128/f32", "scikit-learn", lambda: brute.kneighbors(queries, return_distance=False), np.sum)
    if faiss:
        flat = faiss.IndexFlatIP(128)
        flat.add(unit(x))
        run("top_10/cosine/128/f32", "faiss flat", lambda: flat.search(unit(queries), 10)[1], np.sum)
    if usearch:
        # A tenth of the queries, and of the time: it is slow.
        search = usearch.search
        run("top_10/cosine/128/f32/1000_queries", "usearch",
            lambda: search(x, queries[:1000], 10, "cos", exact=True, threads=int(threads)).keys, lambda out: out.astype(np.int64).sum())

if wanted("sparse/pairwise/cosine_similarity", "sparse/pairwise/euclidean"):
    from scipy.sparse import csr_array

    columns, values = ((points(2000, 100, seed, np.float64)) for seed in (2, 3))
    columns = ((columns + 1) / 2 * 50_000).astype(np.int64)
    rows = [np.unique(row, return_index=True) for row in columns]
    starts = np.cumsum([0] + [len(row[0]) for row in rows])
    x = csr_array((np.concatenate([v[row[1]] for v, row in zip(values, rows)]),
                   np.concatenate([row[0] for row in rows]), starts), shape=(2000, 50_000))
    run("sparse/pairwise/cosine_similarity", "scikit-learn", lambda: cosine_similarity(x), np.sum)
    run("sparse/pairwise/euclidean", "scikit-learn", lambda: euclidean_distances(x), corner)

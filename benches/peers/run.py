#!/usr/bin/env python3
"""Times sapwood's DBSCAN beside its peers on point clouds: scikit-learn, PyPI `dbscan` (Wang, Gu, Shun, SIGMOD 2020), and, where they are there, others.

    cargo build --release --example cluster_point_cloud
    python -m venv venv && venv/bin/pip install -r benches/peers/requirements.txt
    venv/bin/python benches/peers/run.py                       # clouds of its own, 100,000 points
    venv/bin/python benches/peers/run.py --full                # and 1,000,000
    venv/bin/python benches/peers/run.py --clouds DIR SET ..   # DIR/SET_f64.npy of the table below, all that are there
    venv/bin/python benches/peers/run.py --peers dbscan,r,open3d,onedal,arborx --arborx PROGRAM

`onedal` is scikit-learn-intelex, which compares all pairs; `r` takes Rscript and its package `dbscan`, on one thread; `open3d` takes pip's; `arborx` the program that benches/peers/arborx builds, in its fastest
of four variants (f32 or f64, FDBSCAN or DenseBox).

The time is that of the fit alone, points in memory, labels out; the median of the repeats, in a process of its own for every library and
number of threads. Ours reads the file through the example and takes f32 where the file holds f32 values; the peers get f64, what they compute in.

Before a time counts, the labels are compared with scikit-learn's: ours must be equal, number by number; the numbering of the others is their
own, so their noise and their partition of the core points are compared, and what differs is printed. Where scikit-learn is not asked or would need
more than --memory GiB for its neighbour lists, they are compared with ours.
"""

import argparse
import datetime
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]

# eps and min_samples of each set, by the name of its file without `_f64.npy`.
SETS = {
    "uniform2d_100k": (0.008, 10), "uniform2d_1M": (0.0025, 10), "uniform3d_100k": (0.03, 10), "uniform3d_1M": (0.014, 10),
    "blobs2d_100k": (0.2, 10), "blobs2d_1M": (0.06, 10), "blobs3d_100k": (0.5, 10), "blobs3d_1M": (0.25, 10),
    "ss_simden_2d_100k": (60, 10), "ss_simden_2d_1M": (60, 10), "ss_varden_3d_100k": (400, 10), "ss_varden_3d_1M": (400, 10),
    "ss_varden_5d_1M": (1000, 100), "ss_varden_7d_1M": (1000, 100), "lidar3d_1M": (0.2, 10),
    "walk2d_100k": (60, 10), "walk2d_1M": (60, 10), "walk3d_100k": (400, 10), "walk3d_1M": (400, 10),
}


# ---- clouds ----


def blobs(rng, n, d):
    """50 normal blobs in a cube of side 100, 5 % uniform noise, in random order."""
    centres, spreads = rng.random((50, d)) * 100, rng.uniform(0.5, 1.5, 50)
    blob = rng.integers(0, 50, n)
    points = centres[blob] + rng.standard_normal((n, d)) * spreads[blob, None]
    points[: n // 20] = rng.random((n // 20, d)) * 100
    return rng.permutation(points)


def walk(rng, n, d):
    """After Gan and Tao's seed spreader: ten walks of varying density, 100 points around each place, in walk order."""
    places = n // 100
    starts = np.arange(places) % (places // 10 + 1) == 0
    walks = np.cumsum(starts) - 1
    vicinity = 100.0 * (walks % 10 + 1)
    steps = rng.standard_normal((places, d))
    steps *= (vicinity * d / 2 / np.linalg.norm(steps, axis=1))[:, None]
    centres = np.empty((places, d))
    for w in range(walks[-1] + 1):
        here = walks == w
        centres[here] = rng.random(d) * 1e5 + np.cumsum(steps[here], axis=0)
    around = rng.standard_normal((n, d))
    around *= (rng.random(n) ** (1 / d) / np.linalg.norm(around, axis=1))[:, None]
    place = np.minimum(np.arange(n) // 100, places - 1)
    return centres[place] + around * vicinity[place, None]


def make_clouds(folder, full):
    """Rounded to f32 and stored as f64, so that both types hold the same numbers."""
    for n, size in [(100_000, "100k")] + ([(1_000_000, "1M")] if full else []):
        for d in (2, 3):
            makers = {"uniform": lambda r, n, d: r.random((n, d)), "blobs": blobs, "walk": walk}
            for seed, (name, make) in enumerate(makers.items()):
                points = make(np.random.default_rng(100 * d + seed), n, d)
                np.save(folder / f"{name}{d}d_{size}_f64.npy", points.astype(np.float32).astype(np.float64))


# ---- the libraries, each run in a process of its own ----


def run_peer(library, points, eps, min_samples, threads, repeats, out):
    """Entry of the child process: prints the seconds of each fit, and writes labels and core flags."""
    import time

    x = np.load(points)
    if library in ("scikit-learn", "onedal"):
        if library == "onedal":
            from sklearnex.cluster import DBSCAN
        else:
            from sklearn.cluster import DBSCAN

        def fit():
            model = DBSCAN(eps=eps, min_samples=min_samples, n_jobs=threads).fit(x)
            core = np.zeros(len(x), dtype=bool)
            core[model.core_sample_indices_] = True
            return model.labels_, core
    elif library == "open3d":
        import open3d

        cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(np.pad(x, ((0, 0), (0, 3 - x.shape[1])))))

        def fit():
            # Its neighbours are nearer than eps, ours and the others' as near.
            labels = np.asarray(cloud.cluster_dbscan(np.nextafter(eps, np.inf), min_samples))
            return labels, None
    else:
        from dbscan import DBSCAN

        def fit():
            labels, core = DBSCAN(x, eps=eps, min_samples=min_samples)
            return labels, np.asarray(core, dtype=bool)

    for _ in range(repeats):
        start = time.perf_counter()
        labels, core = fit()
        print(f"fit_seconds={time.perf_counter() - start:.6f}", flush=True)
    np.savez(out, labels=labels, **({} if core is None else {"core": core}))


R = """
arguments <- commandArgs(TRUE)
x <- matrix(readBin(arguments[1], "double", as.numeric(arguments[2])), ncol = as.integer(arguments[3]), byrow = TRUE)
for (i in 1:as.integer(arguments[6])) {
  seconds <- system.time(found <- dbscan::dbscan(x, as.numeric(arguments[4]), as.integer(arguments[5])))[["elapsed"]]
  cat(sprintf("fit_seconds=%f\\n", seconds))
}
writeBin(found$cluster - 1L, arguments[7])
"""


def run(peer, file, eps, min_samples, threads, options, scratch):
    """Seconds, labels, and core flags where the peer tells them."""
    parameters = [str(eps), str(min_samples)]
    out = scratch / f"{peer}.npz"
    if peer == "arborx":
        best = None
        for kind in ("f32", "f64"):
            for how in ("plain", "dense"):
                command = [options.arborx, file, *parameters, kind, how, options.repeat, out]
                took = seconds(command, threads, pinned=True)
                if best is None or took < best[0]:
                    best = took, np.fromfile(out, dtype=np.int32), None
        return best
    if peer == "r":
        points = np.load(file)
        raw, script = scratch / "points.raw", scratch / "dbscan.R"
        points.tofile(raw)
        script.write_text(R)
        took = seconds(["Rscript", script, raw, str(points.size), str(points.shape[1]), *parameters, options.few, out], 1)
        return took, np.fromfile(out, dtype=np.int32), None
    repeats = options.repeat if peer == "dbscan" else options.few
    took = seconds([sys.executable, __file__, "--child", peer, file, *parameters, str(threads), repeats, out], threads)
    found = np.load(out)
    return took, found["labels"], found["core"] if "core" in found else None


def seconds(command, threads, pinned=False):
    """Median of the `fit_seconds=` lines of a process that is kept to `threads` processors, or why there is none.

    `pinned` is for programs whose threads are OpenMP's: the threads of any other scheduler would all be kept to the first processor.
    """
    environment = {**os.environ, "PARLAY_NUM_THREADS": str(threads), "CILK_NWORKERS": str(threads), "OMP_NUM_THREADS": str(threads)}
    if pinned:
        environment |= {"OMP_PROC_BIND": "spread", "OMP_PLACES": "threads"}
    processors = sorted(os.sched_getaffinity(0))[:threads]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900,
                         preexec_fn=lambda: os.sched_setaffinity(0, processors))
    times = [float(line.split("=")[1]) for line in run.stdout.splitlines() if line.startswith("fit_seconds=")]
    if run.returncode != 0 or not times:
        raise RuntimeError(f"{command[0]} {command[1]}: {run.stderr.strip() or 'no time printed'}")
    return float(np.median(times))


def compare_partition(labels, core, expected, expected_core):
    """How a labelling with numbers of its own departs from the expected one, in words; empty where it does not."""
    faults = []
    if core is not None and (core != expected_core).any():
        faults.append(f"{(core != expected_core).sum()} core flags")
    if ((labels == -1) != (expected == -1)).any():
        faults.append(f"{((labels == -1) != (expected == -1)).sum()} noise labels")
    both = expected_core if core is None else core & expected_core
    pairs = len(np.unique(np.stack([labels[both], expected[both]]), axis=1).T)
    if not pairs == len(np.unique(labels[both])) == len(np.unique(expected[both])):
        found, true = len(np.unique(labels[labels != -1])), len(np.unique(expected[expected_core]))
        faults.append(f"{found} clusters for {true}" if found != true else "core points in other clusters")
    return ", ".join(faults)


def bench(file, eps, min_samples, threads_list, options, scratch):
    """Rows of the table for one cloud."""
    points = np.load(file, mmap_mode="r")
    n, d = points.shape
    name = file.name.removesuffix("_f64.npy")
    sample = points[np.random.default_rng(0).integers(0, n, 300)]
    from sklearn.neighbors import KDTree

    tree = KDTree(np.asarray(points))
    neighbours = tree.query_radius(sample, eps, count_only=True).mean().item()
    peers = [p for p in options.peers if p != "scikit-learn" or 8 * neighbours * n < options.memory * 2**30]
    options.few = "1" if n * neighbours > 2e7 else "3"
    rows = []
    for threads in threads_list:
        row = {"set": name, "d": d, "eps": eps, "min_samples": min_samples, "neighbours": neighbours, "threads": threads}
        labels = scratch / "labels.npy"
        row["sapwood"] = seconds([options.ours, file, "--eps", str(eps), "--min-samples", str(min_samples), "--threads", str(threads),
                                  "--repeat", options.repeat, "--labels", labels], threads)
        expected, core = np.load(labels), None
        faults = []
        for peer in sorted(peers, key=lambda peer: peer != "scikit-learn"):
            if peer == "r" and threads > 1 and len(threads_list) > 1:
                continue
            row[peer], theirs, flags = run(peer, file, eps, min_samples, threads, options, scratch)
            if peer == "scikit-learn":
                if (expected != theirs).any():
                    sys.exit(f"{name}: {(expected != theirs).sum()} of our labels differ from scikit-learn's")
                core = flags
                continue
            if core is None:
                # Without scikit-learn, its tree tells the core points.
                core = tree.query_radius(np.asarray(points), eps, count_only=True) >= min_samples
            if wrong := compare_partition(theirs, flags, expected, core):
                faults.append(f"{peer} errs: {wrong}")
        row["check"] = "; ".join(faults) or "all equal"
        rows.append(row)
        print(row, flush=True)
    return rows


def table(rows, peers):
    asked = [p for p in peers if any(p in r for r in rows)]
    lines = ["| set | eps / min_samples | mean neighbours | threads | sapwood, s | " + "".join(f"{p}, s | ratio | " for p in asked) + "labels |",
             "|---|--:|--:|--:|--:|" + "--:|--:|" * len(asked) + "---|"]
    for r in rows:
        ours = r["sapwood"]
        cells = "".join(f"{r[p]:.3f} | {r[p] / ours:.1f} | " if p in r else "- | - | " for p in asked)
        lines.append(f"| {r['set']} | {r['eps']} / {r['min_samples']} | {r['neighbours']:.0f} | {r['threads']} | {ours:.4f} | {cells}{r['check']} |")
    for threads in sorted({r["threads"] for r in rows}):
        these = [r for r in rows if r["threads"] == threads]
        means = [f"{geometric([r[p] / r['sapwood'] for r in these if p in r]):.1f} times {p}" for p in asked if any(p in r for r in these)]
        lines += ["", f"Geometric means on {threads} thread{'s' * (threads > 1)}: " + ", ".join(means) + "."]
    return "\n".join(lines)


def geometric(ratios):
    return float(np.exp(np.mean(np.log(ratios))))


def machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()
    return f"{model or platform.processor()}, {os.cpu_count()} processors; {rustc}; sapwood {commit}; Python {platform.python_version()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", help="names of the table; all that are there unless given")
    parser.add_argument("--clouds", type=Path, help="folder of clouds; made in a scratch folder unless given")
    parser.add_argument("--full", action="store_true", help="make clouds of 1,000,000 points too")
    parser.add_argument("--peers", default="scikit-learn,dbscan", help="and r, open3d, onedal, arborx")
    parser.add_argument("--arborx", help="the program that benches/peers/arborx builds")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--repeat", default="5")
    parser.add_argument("--memory", type=float, default=6, help="GiB that scikit-learn may take")
    parser.add_argument("--ours", default=ROOT / "target/release/examples/cluster_point_cloud")
    parser.add_argument("--record", type=Path, default=ROOT / f"benches/record/{datetime.date.today()}-dbscan.md")
    options = parser.parse_args()
    unknown = set(options.sets) - set(SETS)
    if unknown:
        parser.error(f"unknown sets: {', '.join(sorted(unknown))}")
    threads = [int(t) for t in options.threads.split(",")]
    options.peers = options.peers.split(",")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        clouds = options.clouds
        if clouds is None:
            clouds = scratch
            make_clouds(clouds, options.full)
        for name, (eps, min_samples) in SETS.items():
            file = clouds / f"{name}_f64.npy"
            if file.exists() and (not options.sets or name in options.sets):
                rows += bench(file, eps, min_samples, threads, options, scratch)
    if not rows:
        sys.exit("none of the sets is there")
    text = f"# DBSCAN beside its peers\n\n{machine()}\n\n{table(rows, options.peers)}\n"
    print(f"\n{text}")
    options.record.parent.mkdir(parents=True, exist_ok=True)
    options.record.write_text(text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        library, points, eps, min_samples, threads, repeats, out = sys.argv[2:]
        run_peer(library, points, float(eps), int(min_samples), int(threads), int(repeats), out)
    else:
        main()

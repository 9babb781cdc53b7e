"""Computes R@K, MAP@R, the ranks and the anatomy of a cell again from its stored embeddings.

Usage: recompute.py CELL. Written for clarity: it sorts the whole gallery.
"""

import glob
import json
import os
import sys

import numpy as np
import pyarrow as pa
from safetensors.numpy import load_file

cell = sys.argv[1]
record = json.load(open(os.path.join(cell, "cell.json")))


def read(name):
    with pa.memory_map(os.path.join(cell, name)) as source:
        return pa.ipc.open_file(source).read_all()


table = read("embeddings.arrow")
ids = table["id"].to_numpy()
classes = table["class"].to_numpy()
splits = np.array(table["split"].to_pylist())
vectors = np.array(table["embedding"].to_pylist(), dtype=np.float32).astype(np.float64)
assert vectors.shape == (len(ids), record["embedding_size"]), vectors.shape

config = record["config"]
sizes = [record["embedding_size"]] if config.get("untrained") else config["learners"]
borders = np.concatenate([[0], np.cumsum(sizes)])


def close(name, mine, stored, tolerance):
    """Compares a number or a matrix; None is NaN."""
    mine, stored = np.array(mine, float), np.array(stored, float)
    assert mine.shape == stored.shape, (name, mine.shape, stored.shape)
    assert np.array_equal(np.isnan(mine), np.isnan(stored)), (name, mine, stored)
    assert np.all(np.isnan(mine) | (np.abs(mine - stored) < tolerance)), (name, mine, stored)


def first_ranks(columns, asked, gallery, leave_one_out):
    """Ranks of the best positives, by some of the dimensions alone."""
    ranks = []
    for i in np.flatnonzero(asked):
        keep = gallery & (ids != ids[i]) if leave_one_out else gallery
        scores = vectors[keep][:, columns] @ vectors[i, columns]
        hit = classes[keep][np.lexsort((ids[keep], -scores))] == classes[i]
        if hit.any():
            ranks.append(int(np.argmax(hit)) + 1)
    return np.array(ranks)


for evaluation in record["evaluations"]:
    queries = {q["id"]: q for q in read("queries-%s.arrow" % evaluation["protocol"]).to_pylist()}
    assert len(queries) == evaluation["queries"], (len(queries), evaluation["queries"])
    if "gallery" in splits:
        asked, gallery, leave_one_out = splits == "query", splits == "gallery", False
    else:
        asked = gallery = np.ones(len(ids), bool)
        leave_one_out = True
    ranks, precisions = [], []
    for i in np.flatnonzero(asked):
        keep = gallery & (ids != ids[i]) if leave_one_out else gallery
        scores = vectors[keep] @ vectors[i]
        order = np.lexsort((ids[keep], -scores))
        hit = classes[keep][order] == classes[i]
        relevant = int(hit.sum())
        if relevant == 0:
            continue
        rank = int(np.argmax(hit)) + 1
        first = hit[:relevant]
        precision = np.cumsum(first) / np.arange(1, relevant + 1)
        average = float((precision * first).sum() / relevant)
        stored = queries[ids[i]]
        assert stored["rank"] == rank, (ids[i], stored, rank)
        assert abs(stored["ap"] - average) < 1e-12, (ids[i], stored, average)
        assert stored["nearest"] == ids[keep][order][:5].tolist(), (ids[i], stored)
        ranks.append(rank)
        precisions.append(average)
    metrics = evaluation["metrics"]
    for name, value in metrics.items():
        if name.startswith("R@"):
            mine = float(np.mean(np.array(ranks) <= int(name[2:])))
            assert abs(mine - value) < 1e-12, (name, mine, value)
    assert abs(np.mean(precisions) - metrics["MAP@R"]) < 1e-12
    learners = evaluation.get("learners", [])
    assert len(learners) == (len(sizes) if len(sizes) > 1 else 0), (learners, sizes)
    for m, learner in enumerate(learners):
        assert learner["size"] == sizes[m]
        for key, start in [("recalls", borders[m]), ("recalls cumulative", 0)]:
            mine = first_ranks(slice(start, borders[m + 1]), asked, gallery, leave_one_out)
            assert set(learner[key]) == {name for name in metrics if name.startswith("R@")}
            for name, value in learner[key].items():
                close((m, key, name), np.mean(mine <= int(name[2:])), value, 1e-12)
        assert learner["R@1"] == learner["recalls"]["R@1"]
        assert learner["R@1 cumulative"] == learner["recalls cumulative"]["R@1"]
        if m == len(sizes) - 1:
            assert learner["recalls cumulative"].items() <= metrics.items()
    print(evaluation["protocol"], len(ranks), "queries agree, R@1", metrics["R@1"])

correlation = record["correlation"]
with np.errstate(invalid="ignore", divide="ignore"):
    r = np.abs(np.corrcoef(vectors, rowvar=False))
r[:, vectors.std(axis=0) < 1e-12] = np.nan  # what rounding leaves of a dimension that never varies
r[vectors.std(axis=0) < 1e-12, :] = np.nan
np.fill_diagonal(r, np.nan)


def block_means(widths):
    """Means of |r| between blocks of dimensions."""
    cuts = np.concatenate([[0], np.cumsum(widths)])
    assert cuts[-1] == len(r)
    blocks = [slice(a, b) for a, b in zip(cuts[:-1], cuts[1:])]
    mean = lambda x: np.nan if np.isnan(x).all() else np.nanmean(x)
    return [[mean(r[a, b]) for b in blocks] for a in blocks]


close("learner matrix", block_means(sizes), correlation["learner_matrix"], 1e-9)
blocks = correlation["dimension_blocks"]
close("blocks", block_means(blocks["sizes"]), blocks["matrix"], 0.5e-4 + 1e-9)
assert set(borders) <= set(np.concatenate([[0], np.cumsum(blocks["sizes"])])), blocks["sizes"]
close("dimensions", np.nanmean(r), correlation["dimensions"], 1e-9)
apart = r.copy()
for a, b in zip(borders[:-1], borders[1:]):
    apart[a:b, a:b] = np.nan
between = None if np.isnan(apart).all() else np.nanmean(apart)
close("learners", between, correlation["learners"], 1e-9)
pairs = np.triu_indices(len(ids), 1)
scores = [(vectors[:, a:b] @ vectors[:, a:b].T)[pairs] for a, b in zip(borders[:-1], borders[1:])]
close("scores", np.atleast_2d(np.corrcoef(scores)), correlation["score_matrix"], 1e-9)
print("correlation of", len(sizes), "learners agrees,", len(blocks["sizes"]), "blocks")

if config.get("untrained"):
    sys.exit()
tensors = load_file(glob.glob(os.path.join(cell, "checkpoint", "*.safetensors"))[0])
for m, size in enumerate(sizes):
    assert tensors["embedding/learner%d/weights" % m].shape[1] == size
print("model:", len(tensors), "tensors")

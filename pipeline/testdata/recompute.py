"""Computes R@K, MAP@R and the ranks of a cell again from its stored embeddings.

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
    print(evaluation["protocol"], len(ranks), "queries agree, R@1", metrics["R@1"])

tensors = load_file(glob.glob(os.path.join(cell, "checkpoint", "*.safetensors"))[0])
learners = record["config"]["learners"]
for m, size in enumerate(learners):
    assert tensors["embedding/learner%d/weights" % m].shape[1] == size
print("model:", len(tensors), "tensors")

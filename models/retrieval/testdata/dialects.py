"""Writes dialects.json beside this file: what several evaluation programs say of
the same embeddings.

pytorch-metric-learning speaks for itself where it can be imported. The rules of the
others are written out here in numpy, since their programs are scripts around a
network and a data set: each function says which lines it restates. They share nothing
with the package, which scores by ranks and never sorts a whole row. A Go test reads the
file; another, with the build tag integration, gives this script larger embeddings.

    pip install torch==2.15.0 pytorch-metric-learning==2.9.0 faiss-cpu==1.15.1
    python dialects.py                  writes dialects.json
    python dialects.py CASES.json       prints what the programs say of other cases

Without torch, pytorch-metric-learning's rules are applied here to what faiss finds, or
a stable sort without faiss either: "by" of the output says which it was.
"""

import json
import pathlib
import sys

import numpy as np

try:
    import faiss
except ImportError:
    faiss = None
try:
    import torch
    from pytorch_metric_learning import __version__ as pml_version
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
except ImportError:
    torch = None

PML = "pytorch-metric-learning"


class Case:
    """float32 vectors [n, d] and labels [n] of queries and gallery; loo: they are one list."""

    def __init__(self, c):
        self.loo = "gallery" not in c
        self.queries = np.array(c["queries"], np.float32)
        self.query_labels = np.array(c["query_labels"])
        self.gallery = self.queries if self.loo else np.array(c["gallery"], np.float32)
        self.gallery_labels = self.query_labels if self.loo else np.array(c["gallery_labels"])
        self.sizes, self.recalls = c["sizes"], c["recalls"]


def unit(x):
    return (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def positives(c):
    """How many gallery images each query should find."""
    return np.array([(c.gallery_labels == label).sum() - c.loo for label in c.query_labels])


def own(c):
    """Sort by score, ties by position, without the query; queries without a positive are left out."""
    return ranking(c, np.argsort(-(c.queries @ c.gallery.T), axis=1, kind="stable"), c.recalls)


def ranking(c, order, recalls):
    hits, aps, precisions = {k: [] for k in recalls}, [], []
    for i, r in enumerate(positives(c)):
        if r == 0:
            continue
        row = [j for j in order[i] if not (c.loo and j == i)]
        same = c.gallery_labels[row] == c.query_labels[i]
        for k in recalls:
            hits[k].append(same[:k].any())
        precision = np.cumsum(same[:r]) / np.arange(1, r + 1)
        aps.append((precision * same[:r]).sum() / r)
        precisions.append(same[:r].sum() / r)
    if not aps:
        return {"stops": True}
    out = {f"R@{k}": float(np.mean(v)) for k, v in hits.items()}
    return out | {"MAP@R": float(np.mean(aps)), "R-precision": float(np.mean(precisions))}


def metric_learning(c):
    """The library's defaults, on vectors normalised as its testers do."""
    if torch is not None:
        calculator = AccuracyCalculator(
            include=("precision_at_1", "mean_average_precision_at_r", "r_precision"), device=torch.device("cpu"))
        normal = lambda x: torch.nn.functional.normalize(torch.from_numpy(x))
        arguments = [normal(c.queries), torch.from_numpy(c.query_labels)]
        if not c.loo:
            arguments += [normal(c.gallery), torch.from_numpy(c.gallery_labels)]
        got = calculator.get_accuracy(*arguments)
        return {"R@1": got["precision_at_1"], "MAP@R": got["mean_average_precision_at_r"], "R-precision": got["r_precision"]}
    queries, gallery = unit(c.queries), unit(c.gallery)
    if faiss is not None:
        index = faiss.IndexFlatL2(gallery.shape[1])
        index.add(gallery)
        _, order = index.search(queries, len(gallery))
    else:
        order = np.argsort(-(queries @ gallery.T), axis=1, kind="stable")
    return ranking(c, order, [1])


def threshold_recall(c, k, nth):
    """RetMetric.recall_k and recall_k of evaluate_cos_Inshop: fewer than k negatives above the nth highest positive."""
    scores, hits = unit(c.queries) @ unit(c.gallery).T, 0
    for i, label in enumerate(c.query_labels):
        same = c.gallery_labels == label
        above = (scores[i][~same] > np.sort(scores[i][same])[-nth]).sum()
        hits += above < k
    return hits / len(scores)


def ms_loss(c):
    nth = 2 if c.loo else 1
    if min((c.gallery_labels == label).sum() for label in c.query_labels) < nth:
        return {"stops": True}  # an index error
    return {f"R@{k}": float(threshold_recall(c, k, nth)) for k in c.recalls}


def proxy_anchor(c):
    """evaluate_cos and evaluate_cos_SOP drop the first of each row; evaluate_cos_Inshop is as above."""
    if not c.loo:
        return ms_loss(c)
    order = np.argsort(-(unit(c.queries) @ unit(c.gallery).T), axis=1, kind="stable")[:, 1:]
    labels = c.gallery_labels[order]
    return {f"R@{k}": float((labels[:, :k] == c.query_labels[:, None]).any(1).mean()) for k in c.recalls}


def bier(c):
    """evaluate() of train_bier.py."""
    if not c.loo:
        return {"stops": True}
    x, start = c.queries.copy(), 0
    for size in c.sizes:
        part = x[:, start:start + size]
        x[:, start:start + size] = part / np.maximum(1e-5, np.linalg.norm(part, axis=1, keepdims=True)) * (size / sum(c.sizes))
        start += size
    scores = x @ x.T
    scores = scores - np.eye(len(x), dtype=np.float32) * np.abs(scores).max() * 10
    return {"R@1": float((c.query_labels[scores.argmax(1)] == c.query_labels).mean())}


DIALECTS = {"bierbench": own, PML: metric_learning, "proxy-anchor": proxy_anchor, "ms-loss": ms_loss, "bier": bier}


def scored(c):
    return {name: score(Case(c)) for name, score in DIALECTS.items()}


def drawn(random, labels, sizes):
    """Images about the centre of their class; slices of different lengths."""
    width = sum(sizes)
    centres = random.normal(size=(max(labels) + 1, width))
    x = centres[labels] + 1.2 * random.normal(size=(len(labels), width))
    return (x * np.repeat(np.arange(1, len(sizes) + 1), sizes)).astype(np.float32)


def tied(random, count):
    """Two slices of four numbers, each +-axis or all +-1/2, few of them: lengths and products are exact, many are
    equal, and several images are duplicates."""
    blocks = [np.eye(4)[0], np.eye(4)[1], np.full(4, 0.5), np.array([0.5, 0.5, -0.5, -0.5])]
    four = lambda: blocks[random.integers(len(blocks))]
    return np.array([np.concatenate([four(), four(), four(), four()]) for _ in range(count)], np.float32)


def cases():
    random = np.random.default_rng(20260301)
    labels = lambda n, classes: [int(x) for x in random.integers(classes, size=n)]
    pairs = lambda n, classes: [i % classes for i in range(n)]  # every class has at least two
    yield "no ties", "three learners, slices of unequal lengths", dict(
        queries=drawn(random, p := pairs(40, 7), [1, 2, 3]), query_labels=p, sizes=[1, 2, 3], recalls=[1, 2, 4, 8])
    yield "ties", "exact scores, many equal, duplicates with lower and higher positions than the query", dict(
        queries=tied(random, 36), query_labels=pairs(36, 9), sizes=[4, 4, 4, 4], recalls=[1, 2, 4, 8])
    yield "collapsed", "one vector for all images", dict(
        queries=np.tile([[0.5, 0.5, 0.5, 0.5]], (12, 1)).astype(np.float32), query_labels=pairs(12, 4), sizes=[4], recalls=[1, 2, 4])
    yield "alone", "labels 7, 8 and 9 have one image", dict(
        queries=drawn(random, p := pairs(20, 7) + [7, 8, 9], [2, 3]), query_labels=p, sizes=[2, 3], recalls=[1, 2, 4])
    yield "gallery", "queries in another list", dict(
        queries=drawn(random, p := pairs(15, 5), [6]), query_labels=p,
        gallery=drawn(random, g := pairs(25, 6), [6]), gallery_labels=g, sizes=[6], recalls=[1, 2, 4])
    yield "gallery ties", "queries in another list, exact scores, many equal", dict(
        queries=tied(random, 20), query_labels=pairs(20, 6),
        gallery=tied(random, 30), gallery_labels=pairs(30, 8), sizes=[4, 4, 4, 4], recalls=[1, 2, 4])
    yield "gallery alone", "label 5 is not in the gallery", dict(
        queries=drawn(random, p := pairs(12, 6), [3]), query_labels=p,
        gallery=drawn(random, g := pairs(10, 5), [3]), gallery_labels=g, sizes=[3], recalls=[1, 2])


def main():
    by = f"pytorch-metric-learning {pml_version}, torch {torch.__version__}, faiss {faiss.__version__}" if torch is not None else \
        f"faiss {faiss.__version__} and its rules here" if faiss is not None else "its rules here"
    if len(sys.argv) > 1:
        given = json.loads(pathlib.Path(sys.argv[1]).read_text())
        print(json.dumps({"by": by, "results": [scored(c) for c in given]}))
        return
    if torch is None or faiss is None:
        sys.exit("pytorch-metric-learning and faiss must be there to write dialects.json")
    out = []
    for name, why, c in cases():
        c = {key: x.tolist() if isinstance(x, np.ndarray) else x for key, x in c.items()}
        out.append({"name": name, "why": why} | c | {"results": scored(c)})
    path = pathlib.Path(__file__).with_name("dialects.json")
    lines = ",\n".join(json.dumps(c) for c in out)
    path.write_text(f'{{"by": {json.dumps(by)}, "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()

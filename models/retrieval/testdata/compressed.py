"""Writes compressed.json beside this file: R@K, MAP@R and R-precision of compressed vectors,
computed with numpy from whole matrices of scores. It shares nothing with the package: bits are
packed and compared by the bits that differ, int8 are whole numbers, and every row is sorted.

    python compressed.py                  writes compressed.json
    python compressed.py CASES.json       prints the results of other cases
"""

import json
import pathlib
import sys

import numpy as np


def compress(x, part):
    x = np.array(x, np.float32)[:, : part["dimensions"]]
    if part["unit"]:
        y = x.astype(np.float64)
        x = (y * (1 / np.sqrt((y * y).sum(1, keepdims=True)))).astype(np.float32)
    if part["form"] == "bits":
        return np.packbits(x > 0, axis=1), None
    if part["form"] == "int8":
        y = x.astype(np.float64)
        largest = np.abs(y).max(1, keepdims=True)
        return np.rint(127 * y / largest).astype(np.int64), (largest / 127).astype(np.float32)[:, 0]
    return x.astype(np.float64), None


def scores(queries, gallery, part):
    (q, _), (g, scale) = compress(queries, part), compress(gallery, part)
    if part["form"] == "bits":
        return -np.array([[np.unpackbits(a ^ b).sum() for b in g] for a in q], np.int64)
    if part["form"] == "int8":
        return (q @ g.T).astype(np.float32) * scale
    return q @ g.T


def evaluate(case, part):
    loo = "gallery" not in case
    labels = np.array(case["query_labels"])
    gallery = case["queries"] if loo else case["gallery"]
    gallery_labels = labels if loo else np.array(case["gallery_labels"])
    s = scores(case["queries"], gallery, part)
    found = {}
    for i, row in enumerate(s):
        keep = np.ones(len(row), bool)
        if loo:
            keep[i] = False
        row, positive = row[keep], gallery_labels[keep] == labels[i]
        r = int(positive.sum())
        if r == 0:
            continue
        ids = np.arange(len(row))
        for place, ties in enumerate((ids, positive, ~positive)):  # by id, against, for
            hits = positive[np.lexsort((ties, -row))]
            put = lambda name, v: found.setdefault(name, ([], [], []))[place].append(v)
            for k in case["recalls"]:
                put(f"R@{k}", float(hits[:k].any()))
            at = np.arange(1, r + 1)
            put("MAP@R", float((hits[:r] * np.cumsum(hits[:r]) / at).sum() / r))
            put("R-precision", float(hits[:r].sum() / r))
    return {
        "metrics": {k: float(np.mean(v[0])) for k, v in found.items()},
        "bounds": {k: [float(np.mean(v[1])), float(np.mean(v[2]))] for k, v in found.items()},
    }


def results(cases):
    return [[evaluate(c, p) for p in c["parts"]] for c in cases]


def own_cases():
    rng = np.random.default_rng(14)
    parts = [
        {"dimensions": d, "form": form, "unit": unit}
        for d, unit in ((5, True), (12, False), (20, False))
        for form in ("float32", "int8", "bits")
    ]
    out = []
    for name, n, classes, ties in (("no ties", 40, 8, False), ("ties", 36, 6, True), ("a gallery", 30, 5, False)):
        label = np.arange(n) % classes
        x = rng.normal(size=(classes, 20))[label] + 1.5 * rng.normal(size=(n, 20))
        x = np.clip(np.rint(x), -1, 1) if ties else np.round(x, 3)
        x[:, 0] = np.where(x[:, 0] == 0, 1, x[:, 0])  # no part is zero
        case = {"name": name, "queries": x.tolist(), "query_labels": label.tolist(), "recalls": [1, 2, 4]}
        # Cosines that are equal on paper differ by their rounding: ties are compared without them.
        case["parts"] = [{**p, "unit": p["unit"] and not ties} for p in parts]
        if name == "a gallery":
            case["gallery"], case["gallery_labels"] = case["queries"][12:], case["query_labels"][12:]
            case["queries"], case["query_labels"] = case["queries"][:12], case["query_labels"][:12]
        out.append(case)
    return out


if len(sys.argv) > 1:
    print(json.dumps(results(json.load(open(sys.argv[1])))))
else:
    cases = own_cases()
    for case, found in zip(cases, results(cases)):
        case["results"] = found
    text = json.dumps({"by": "numpy " + np.__version__, "cases": cases}, separators=(",", ":"))
    pathlib.Path(__file__).with_name("compressed.json").write_text(text.replace("},{", "},\n{") + "\n")

"""Uses an exported model without bierbench: recomputes embeddings and R@1.

Usage: exported.py WORKSPACE EXPORT PAGE

PAGE is models/README.md, whose code for onnxruntime is run as well.
The features of a frozen cell are read from the workspace. Those of a convnet that was
trained are computed from the data set's pixels, where these are stored as such. So are
the embeddings by onnxruntime: from the pixels, and by the code of README.md from files.
"""

import hashlib
import json
import os
import re
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
from huggingface_hub import ModelCard
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from safetensors.numpy import load_file

workspace, export, page = map(os.path.abspath, sys.argv[1:])
card = json.load(open(os.path.join(export, "model.json")))
embedding, network = card["embedding"], card["network"]


def arrow(path):
    with pa.memory_map(path) as source:
        return pa.ipc.open_file(source).read_all()


def matrix(column):
    return column.combine_chunks().flatten().to_numpy().reshape(len(column), -1)


def resized(image, width, height):
    """image [h, w, 3] uint8 as the card's resize rule has it."""
    image = image.astype(np.int64)
    for axis, out in ((1, width), (0, height)):
        n = image.shape[axis]
        scale = n / out
        support = max(scale, 1)
        weights = np.zeros((out, n), np.int64)
        for i in range(out):
            center = (i + 0.5) * scale
            lo, hi = max(int(center - support + 0.5), 0), min(int(center + support + 0.5), n)
            w = np.maximum(1 - np.abs((np.arange(lo, hi) - center + 0.5) * (1 / support)), 0)
            weights[i, lo:hi] = np.floor(0.5 + w / w.sum() * 2**22)
        image = np.moveaxis(np.tensordot(weights, image, (1, axis)), 0, axis)
        image = np.minimum((image + 2**21) >> 22, 255)
    return image


def view(image):
    """What the network sees of a prepared image [h, w, 3], [pixels, pixels, 3]."""
    entry = card["input"]
    height, width = image.shape[:2]
    side = min(height, width)
    least, most = entry["shortest_side"]
    wanted = min(max(side, least), most)
    if wanted != side:
        other = (2 * max(height, width) * wanted + side) // (2 * side)
        width, height = (wanted, other) if width < height else (other, wanted)
        image = resized(image, width, height)
    pixels = entry["pixels"]
    y, x = (height - pixels) // 2, (width - pixels) // 2
    return image[y : y + pixels, x : x + pixels]


def normalised(image):
    """The network's input [3, pixels, pixels] of what it sees."""
    entry = card["input"]
    image = image.astype(float)
    channels = [image[:, :, "RGB".index(c)] for c in entry["channels"]]
    return np.stack([(c - m) * entry["scale"] for c, m in zip(channels, entry["mean"])])


def convnet(x, tensors):
    """Pooled features of x [n, 3, s, s]."""
    for i in range(4):
        kernel = tensors["block_%d.weight" % i].astype(float)
        pad = kernel.shape[2] // 2
        x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        windows = sliding_window_view(x, kernel.shape[2:], (2, 3))[:, :, ::2, ::2]
        x = np.einsum("nchwyx,ocyx->nohw", windows, kernel, optimize=True)
        x = np.maximum(x + tensors["block_%d.bias" % i][:, None, None], 0)
    return x.mean((2, 3))


def features(tensors, ids):
    """Pooled features [len(ids), width] of the embedded images; None where this script cannot tell."""
    if not network["in_file"]:
        table = arrow(os.path.join(workspace, card["features"]["file"]))
        rows = {id: i for i, id in enumerate(table["id"].to_pylist())}
        return matrix(table["feature"])[[rows[i] for i in ids]]
    images = pictures(ids)
    if network["name"] != "convnet" or images is None:
        return None
    return convnet(np.stack([normalised(view(image)) for image in images]), tensors)


def pictures(ids):
    """The prepared images [h, w, 3] of some ids; None where they are not stored as pixels."""
    prepared = card["input"]["prepared"]
    if prepared["store"] != "rgb":
        return None
    folder = os.path.join(workspace, "datasets", card["dataset"], card["variant"])
    images = {}
    for part in json.load(open(os.path.join(folder, "manifest.json")))["parts"]:
        table = arrow(os.path.join(folder, part["name"]))
        images.update(zip(table["id"].to_pylist(), table["image"].to_pylist()))
    size = prepared["size"]
    return [np.frombuffer(images[i], np.uint8).reshape(size, size, 3) for i in ids]


def by_onnxruntime(ids):
    """Embeddings by model.onnx: of what the network sees, and of files by the code of README.md."""
    onnx.checker.check_model("model.onnx", full_check=True)
    properties = {p.key: p.value for p in onnx.load("model.onnx").metadata_props}
    assert properties["cell"] == card["cell"] and card["onnx"]["shape"] in properties["input"], properties
    images = pictures(ids)
    seen = np.stack([view(image) for image in images]).astype(np.uint8)
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    direct = session.run([card["onnx"]["output"]], {card["onnx"]["input"]: seen})[0]
    (code,) = re.findall(r"```python\n(.*?)```", open("README.md").read(), re.S)
    with tempfile.TemporaryDirectory() as folder:
        names = {"paths": []}
        for i, image in enumerate(images):
            names["paths"].append(os.path.join(folder, "%d.png" % i))
            Image.fromarray(image).save(names["paths"][-1])
        exec(code, names)
    assert np.array_equal(names["images"], seen), "the code of README.md sees other pixels"
    assert names["scores"].shape == (len(ids), len(ids))
    short = {"images": seen}
    (code,) = [c for c in re.findall(r"```python\n(.*?)```", open(page).read(), re.S) if "onnxruntime" in c]
    exec(code.replace("DIR/", ""), short)
    return direct, names["embeddings"], short["y"]


def check_page():
    """README.md as huggingface_hub reads it has the card's evaluations."""
    data = ModelCard.load("README.md").data
    assert data.license == "unknown" and data.model_name == card["run"] + "/" + card["cell"], data
    assert {"bierbench", card["method"], card["backbone"]} <= set(data.tags) and data.datasets == [card["dataset"]], data
    want = {(e["protocol"], name): value for e in card["evaluations"] for name, value in e["metrics"].items()}
    got = {(r.dataset_args["protocol"], r.metric_name): r.metric_value for r in data.eval_results}
    assert got == want and len(data.eval_results) == len(want), (got, want)
    for r in data.eval_results:
        assert r.dataset_type == card["dataset"] and r.dataset_config == card["variant"], r
        assert r.dataset_args["protocol"] in r.dataset_name and r.metric_type in data.metrics, r


def embed(x, tensors):
    if not tensors:
        return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), embedding["norm_floor"])
    y = x.astype(float) @ tensors[embedding["weights"]].astype(float) + tensors[embedding["biases"]]
    slices = np.split(y, np.cumsum(embedding["learners"])[:-1], axis=1)
    floor = embedding["norm_floor"]
    return np.concatenate(
        [s / np.maximum(np.linalg.norm(s, axis=1, keepdims=True), floor) * f for s, f in zip(slices, embedding["factors"])], axis=1
    )


def recall(vectors, ids, classes, splits):
    """R@1 by a whole search; of equal scores the smaller id comes first."""
    one_set = "gallery" not in splits
    gallery = np.flatnonzero(np.ones(len(ids), bool) if one_set else splits == "gallery")
    there, their_ids, their_classes = vectors[gallery], ids[gallery], classes[gallery]
    hits = []
    for i in gallery if one_set else np.flatnonzero(splits == "query"):
        scores = there @ vectors[i]
        alike = their_classes == classes[i]
        if one_set:
            scores[i], alike[i] = -np.inf, False
        if alike.any():
            best = np.flatnonzero(scores == scores.max())
            hits.append(alike[best[np.argmin(their_ids[best])]])
    return float(np.mean(hits)), len(hits)


for entry in card["files"]:
    data = open(os.path.join(export, entry["name"]), "rb").read()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"]), entry["name"]
names = sorted(entry["name"] for entry in card["files"])
assert sorted(os.listdir(export)) == sorted(names + ["model.json"]), names

values, ids, classes = (np.load(os.path.join(export, name + ".npy")) for name in ("embeddings", "ids", "classes"))
assert values.dtype == np.float32 and values.flags.c_contiguous and values.shape == (len(ids), embedding["size"]), values.shape
assert ids.dtype == np.int64 and classes.dtype == np.int32 and ids.shape == classes.shape
table = arrow(os.path.join(export, "embeddings.arrow"))
stored = matrix(table["embedding"])
splits = np.array(table["split"].to_pylist())
assert np.array_equal(stored, values) and np.array_equal(table["id"].to_numpy(), ids)
assert np.array_equal(table["class"].to_numpy(), classes)

path = os.path.join(export, "model.safetensors")
tensors = load_file(path) if os.path.exists(path) else {}
if tensors:
    width, size = network["features"], embedding["size"]
    layer = {embedding["weights"]: (width, size), embedding["biases"]: (size,)}
    assert {k: v.shape for k, v in tensors.items() if k.startswith("embedding/")} == layer
    assert network["in_file"] or len(tensors) == 2, sorted(tensors)
    assert all(v.dtype == np.float32 for v in tensors.values())

sources = {"embeddings.npy": values, "embeddings.arrow": stored}
x = features(tensors, ids)
if x is not None:
    mine = embed(x, tensors)
    error = np.abs(mine - values).max()
    assert error < 1e-5, error
    print("embeddings recomputed to %.1e" % error)
    sources["model.safetensors"] = mine
os.chdir(export)
check_page()
for mine in by_onnxruntime(ids) if pictures(ids) else []:
    error = np.abs(mine - values).max()
    assert error < 1e-4, error
    print("onnxruntime: embeddings to %.1e" % error)
    sources["model.onnx"] = mine
assert len(card["evaluations"]) == 1, "one protocol, please"
evaluation = card["evaluations"][0]
for source, vectors in sources.items():
    mine, queries = recall(vectors.astype(float), ids, classes, splits)
    reported = evaluation["metrics"]["R@1"]
    assert queries == evaluation["queries"] and abs(mine - reported) < 1e-12, (source, mine, reported, queries)
    print("%s: R@1 %.6f of %d queries by %s, as reported" % (evaluation["protocol"], mine, queries, source))

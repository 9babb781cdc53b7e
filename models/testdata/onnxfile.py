"""Checks ONNX files and compares onnxruntime's embeddings with bierbench's.

Usage: onnxfile.py FOLDER

The folder holds about.json, images (uint8 of the shape in about.json), and for each NAME.onnx
the embeddings NAME.embeddings (float32).
"""

import glob
import json
import os
import sys

import numpy as np
import onnx
import onnxruntime

folder = sys.argv[1]
about = json.load(open(os.path.join(folder, "about.json")))
images = np.fromfile(os.path.join(folder, "images"), np.uint8).reshape(about["shape"])
files = sorted(glob.glob(os.path.join(folder, "*.onnx")))
assert files
for path in files:
    name = os.path.basename(path)[:-5]
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", about["opset"])], model.opset_import
    assert {p.key: p.value for p in model.metadata_props} == {"name": name}, model.metadata_props
    # Every constant is used, and shape inference knows the shape of every result.
    used = {i for node in model.graph.node for i in node.input}
    assert used >= {c.name for c in model.graph.initializer}, {c.name for c in model.graph.initializer} - used

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,), (result,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(uint8)", ["N", *about["shape"][1:]]), given
    want = np.fromfile(os.path.join(folder, name + ".embeddings"), np.float32).reshape(len(images), -1)
    assert (result.name, result.type, result.shape) == ("embeddings", "tensor(float)", ["N", want.shape[1]]), result
    got = session.run(None, {"images": images})[0]
    single = np.concatenate([session.run(None, {"images": images[i : i + 1]})[0] for i in range(len(images))])
    error = max(np.abs(got - want).max(), np.abs(single - want).max())
    spread = np.abs(want[0] - want[1]).max()
    assert error < 1e-4 < spread / 10, (name, error, spread)
    print("%s: %d nodes, %d bytes, largest difference %.1e of embeddings that differ by %.1e"
          % (name, len(model.graph.node), os.path.getsize(path), error, spread))

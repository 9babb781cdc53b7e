"""Writes features-googlenet.json and features-lite0.json beside this file.

An implementation of both backbones that shares nothing with the package: ONNX
graphs (channels first) built from the weights files, run by onnxruntime.
Needs numpy, onnx and onnxruntime, and no PyTorch.

    python reference.py bvlc_googlenet.safetensors efficientnet-lite0-57934424.pth
"""

import hashlib
import json
import pathlib
import pickle
import struct
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIZE = 224


def images(count):
    """[count, SIZE, SIZE, 3] uint8; the Go test has the same formula."""
    n, y, x, c = np.meshgrid(np.arange(count), np.arange(SIZE), np.arange(SIZE), np.arange(3), indexing="ij")
    return ((7 * x + 13 * y + 101 * c + 29 * n + x * y // 16 + (x * x + (n + 1) * y * y) // 64) % 256).astype(np.uint8)


class Net:
    def __init__(self):
        self.nodes, self.weights = [], []

    def op(self, kind, inputs, **attributes):
        out = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def const(self, value):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def run(self, out, x):
        graph = helper.make_graph(
            self.nodes, "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(x.shape))],
            [helper.make_tensor_value_info(out, TensorProto.FLOAT, ["n", "c", "h", "w"])], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run([out], {"x": x})[0].reshape(len(x), -1), session


def safetensors(path):
    data = pathlib.Path(path).read_bytes()
    (n,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    out = {}
    for name, e in header.items():
        assert e["dtype"] == "F32"
        a, b = e["data_offsets"]
        out[name] = np.frombuffer(data[8 + n + a:8 + n + b], np.float32).reshape(e["shape"])
    return out


class StateDict(dict):
    """A dict that, unlike dict, takes the attributes that PyTorch pickles with it."""


def state_dict(path):
    """A legacy PyTorch file: magic, protocol, system, the dict, storage keys, storages."""
    storages = {}

    class Tensor:
        def __init__(self, storage, offset, size, stride, *_):
            self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            if name == "_rebuild_tensor_v2":
                return Tensor
            if name == "OrderedDict":
                return StateDict
            return {"FloatStorage": np.float32, "LongStorage": np.int64}[name]

        def persistent_load(self, ident):
            _, dtype, key, _, count, _ = ident
            storages[key] = (dtype, count)
            return key

    with open(path, "rb") as f:
        for _ in range(3):
            Unpickler(f).load()
        tensors = Unpickler(f).load()
        arrays = {}
        for key in Unpickler(f).load():
            (count,) = struct.unpack("<q", f.read(8))
            dtype, expected = storages[key]
            assert count == expected
            arrays[key] = np.frombuffer(f.read(count * np.dtype(dtype).itemsize), dtype)
    out = {}
    for name, t in tensors.items():
        a = arrays[t.storage][t.offset:]
        out[name] = np.lib.stride_tricks.as_strided(a, t.size, [s * a.itemsize for s in t.stride]).copy()
    return out


def googlenet(path, rgb):
    w, net = safetensors(path), Net()

    def conv(x, name, stride=1):
        k = w[name + "_filter"].shape[2]
        y = net.op("Conv", [x, net.const(w[name + "_filter"]), net.const(w[name + "_bias"])],
                   strides=[stride] * 2, pads=[k // 2] * 4)
        return net.op("Relu", [y])

    def pool(x):
        return net.op("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)

    def lrn(x):
        return net.op("LRN", [x], size=5, alpha=1e-4, beta=0.75, bias=1.0)

    x = lrn(pool(conv("x", "conv1/7x7_s2", 2)))
    x = pool(lrn(conv(conv(x, "conv2/3x3_reduce"), "conv2/3x3")))
    for module in ["3a", "3b", "pool", "4a", "4b", "4c", "4d", "4e", "pool", "5a", "5b"]:
        if module == "pool":
            x = pool(x)
            continue
        p = f"inception_{module}/"
        pooled = net.op("MaxPool", [x], kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
        x = net.op("Concat", [
            conv(x, p + "1x1"),
            conv(conv(x, p + "3x3_reduce"), p + "3x3"),
            conv(conv(x, p + "5x5_reduce"), p + "5x5"),
            conv(pooled, p + "pool_proj"),
        ], axis=1)
    bgr = rgb[..., ::-1].astype(np.float32) - np.array([104, 117, 123], np.float32)
    return net.run(net.op("GlobalAveragePool", [x]), bgr.transpose(0, 3, 1, 2).copy())


def lite0(path, rgb):
    w, net = state_dict(path), Net()

    def conv(x, name, norm, stride=1, group=1, relu=True):
        y = net.op("Conv", [x, net.const(w[name + ".weight"])], strides=[stride] * 2, group=group, auto_pad="SAME_UPPER")
        y = net.op("BatchNormalization", [y] + [net.const(w[f"{norm}.{v}"]) for v in
                                                ["weight", "bias", "running_mean", "running_var"]], epsilon=1e-3)
        return net.op("Clip", [y, net.const(np.float32(0)), net.const(np.float32(6))]) if relu else y

    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    x = conv("x", "_conv_stem", "_bn0", 2)
    for i, stride in enumerate(strides):
        p, y = f"_blocks.{i}.", x
        if i > 0:
            y = conv(y, p + "_expand_conv", p + "_bn0")
        y = conv(y, p + "_depthwise_conv", p + "_bn1", stride, w[p + "_depthwise_conv.weight"].shape[0])
        y = conv(y, p + "_project_conv", p + "_bn2", relu=False)
        out, inp = w[p + "_project_conv.weight"].shape[0], w[p + ("_expand_conv" if i else "_depthwise_conv") + ".weight"].shape[1 if i else 0]
        x = net.op("Add", [x, y]) if stride == 1 and out == inp else y
    x = conv(x, "_conv_head", "_bn1")
    return net.run(net.op("GlobalAveragePool", [x]), ((rgb.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2).copy())


def main():
    here = pathlib.Path(__file__).parent
    for name, forward, path in [("googlenet", googlenet, sys.argv[1]), ("lite0", lite0, sys.argv[2])]:
        features, session = forward(path, images(2))
        golden = {
            "source": f"reference.py: onnxruntime {onnxruntime.__version__} on the CPU, images by its formula",
            "weights": hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest(),
            "size": SIZE,
            "images": [{"first": [float(f"{v:.7g}") for v in f[:8]],
                        "mean": float(f"{f.mean(dtype=np.float64):.7g}"),
                        "norm": float(f"{np.linalg.norm(f.astype(np.float64)):.7g}")} for f in features],
        }
        (here / f"features-{name}.json").write_text(json.dumps(golden, indent=2) + "\n")
        if "--time" in sys.argv:
            import time
            batch = np.random.default_rng(1).standard_normal((32, 3, SIZE, SIZE), dtype=np.float32)
            _, session = forward(path, images(32))
            session.run(None, {"x": batch})
            begin = time.time()
            for _ in range(5):
                session.run(None, {"x": batch})
            print(name, 5 * 32 / (time.time() - begin), "images/s")


main()

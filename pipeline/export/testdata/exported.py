"""Reads an exported run with TensorBoard and MLflow and compares every number with
the run's own files.

Usage: exported.py RUN TENSORBOARD MLFLOW SCRATCH. RUN is the run's folder, the next
two are what "export" wrote of it.
"""

import glob
import hashlib
import json
import os
import re
import subprocess
import sys

run_dir, tensorboard_dir, mlflow_dir, scratch = sys.argv[1:]
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

from datetime import datetime  # noqa: E402

import numpy as np  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402
from tensorboard.plugins.hparams import plugin_data_pb2  # noqa: E402

run_id = json.load(open(os.path.join(run_dir, "run.json")))["id"]


def expected(cell, steps):
    """The curves that the documentation promises: tag -> [(step, value)]."""
    curves = {}

    def add(tag, step, value):
        curves.setdefault(tag, []).append((step, value))

    for s in steps:
        add("train/loss", s["step"], s["loss"])
        add("train/total", s["step"], s["total"])
        add("train/learning_rate", s["step"], s["rate"])
        if any(t.get("diversity") for t in steps):
            add("train/diversity", s["step"], s.get("diversity", 0))
        for i, loss in enumerate(s["learners"], 1):
            add(f"train/learner_{i}/loss", s["step"], loss)
        for i, weight in enumerate(s["weights"], 1):
            add(f"train/learner_{i}/weight", s["step"], weight)
    last = steps[-1]["step"] if steps else 0
    for e in cell["evaluations"] or []:
        protocol = e["protocol"].replace("/", "_")
        for name, value in e["metrics"].items():
            add(f"{protocol}/" + name.replace("/", "_"), last, value)
        for i, learner in enumerate(e.get("learners") or [], 1):
            add(f"{protocol}/learner_{i}/R@1", last, learner["R@1"])
            add(f"{protocol}/learner_{i}/R@1 cumulative", last, learner["R@1 cumulative"])
    correlation = cell.get("correlation") or {}
    for name in ("learners", "dimensions"):
        if correlation.get(name) is not None:
            add(f"correlation/{name}", last, correlation[name])
    for name, value in (cell["timing"] or {}).items():
        add("seconds/" + name.replace("/", "_"), last, value)
    for name, value in (cell["throughput"] or {}).items():
        add("throughput/" + name.replace("/s", " per second").replace("/", "_"), last, value)
    if cell.get("memory"):
        add("memory/bytes", last, cell["memory"])
    return curves


def parameters(cell):
    values = dict(cell.get("config") or {})
    for name in ("dataset", "variant", "backbone", "mode", "method", "seed"):
        values[name] = cell[name]
    values["size"] = cell["embedding_size"]
    return values


def check_tensorboard(path, cell, steps):
    accumulator = EventAccumulator(os.path.join(tensorboard_dir, run_id, path), size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    want = expected(cell, steps)
    got = set(accumulator.Tags()["scalars"])
    assert got == set(want), (path, got ^ set(want))
    numbers = 0
    began = datetime.fromisoformat(cell["started"]).timestamp()
    seconds = {s["step"]: s["seconds"] for s in steps}
    for tag, values in want.items():
        events = accumulator.Scalars(tag)
        assert [e.step for e in events] == [step for step, _ in values], (path, tag)
        for e, (step, value) in zip(events, values):
            assert e.value == np.float32(value), (path, tag, step, e.value, value)  # event files hold float32
            if tag.startswith("train/"):
                assert abs(e.wall_time - began - seconds[step]) < 1e-3, (path, tag, step, e.wall_time)
            numbers += 1
    text = accumulator.Tensors("config")[0].tensor_proto.string_val[0].decode()
    for name, value in parameters(cell).items():
        assert f"| {name}" in text.replace("\\", ""), (path, name, text)
    start = plugin_data_pb2.HParamsPluginData.FromString(
        accumulator.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    ).session_start_info
    assert start.group_name == os.path.dirname(path), start.group_name
    hparams = {
        name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()
    }
    want_hparams = {
        name: value if isinstance(value, (str, bool, int, float)) else json.dumps(value, separators=(",", ":"))
        for name, value in parameters(cell).items()
        if name != "seed"
    }
    assert hparams == want_hparams, (path, hparams, want_hparams)
    if cell["status"] != "running":
        end = plugin_data_pb2.HParamsPluginData.FromString(
            accumulator.SummaryMetadata("_hparams_/session_end_info").plugin_data.content
        ).session_end_info
        assert end.status == (1 if cell["status"] == "done" else 2), (path, end)
    return numbers


def mlflow_names(names):
    """Each name as MLflow allows it; of two that would be the same, the later one gets
    the beginning of its SHA-256."""
    given = {}
    for name in names:
        clean = re.sub(r"[^A-Za-z0-9_\-. /]", "_", name.replace("@", "_at_"))
        clean = re.sub(r"(^|/)(\.+)", lambda m: m[1] + "_" * len(m[2]), clean)
        if clean in given.values():
            clean += "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
        given[name] = clean
    return given


def check_mlflow(client, cells):
    (experiment,) = [e for e in client.search_experiments() if e.name == run_id]
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    by_name = {r.info.run_name: r for r in found}
    assert len(by_name) == len(found) and set(by_name) == set(cells), (sorted(by_name), sorted(cells))
    numbers = 0
    for path, (cell, steps) in cells.items():
        r = by_name[path]
        status = {"done": "FINISHED", "failed": "FAILED", "running": "RUNNING"}[cell["status"]]
        assert r.info.status == status, (path, r.info.status)
        assert r.info.start_time == int(datetime.fromisoformat(cell["started"]).timestamp() * 1000), path
        curves = expected(cell, steps)
        names = mlflow_names(curves)
        want = {names[tag]: values for tag, values in curves.items()}
        assert set(r.data.metrics) == set(want), (path, set(r.data.metrics) ^ set(want))
        for name, values in want.items():
            got = [(m.step, m.value) for m in client.get_metric_history(r.info.run_id, name)]
            got.sort(key=lambda pair: pair[0])
            assert len(got) == len(values), (path, name, len(got))
            for (step, value), (want_step, want_value) in zip(got, values):
                assert step == want_step, (path, name)
                assert value == want_value, (path, name, value, want_value)
                numbers += 1
        names = mlflow_names(sorted(name.replace("/", "_") for name in parameters(cell)))
        for name, value in parameters(cell).items():
            got = r.data.params[names[name.replace("/", "_")]]
            if isinstance(value, (bool, list, dict)) or value is None:
                got = json.loads(got)
            elif isinstance(value, (int, float)):
                got = float(got)
            assert got == value, (path, name, got, value)
        assert len(r.data.params) == len(parameters(cell)), path
        environment = cell["environment"]
        for name in ("go", "gomlx", "plugin", "backend", "device", "cpu", "commit"):
            assert r.data.tags.get("environment." + name, "") == environment[name], (path, name)
        assert r.data.tags.get("mlflow.source.git.commit", "") == environment["commit"].removesuffix("+dirty"), path
        assert r.data.tags["bierbench.run"] == run_id and r.data.tags["bierbench.cell"] == path, path
        if cell["status"] == "failed":
            assert r.data.tags["bierbench.error"] == cell["error"], (path, r.data.tags["bierbench.error"])
        artifacts = {a.path for a in client.list_artifacts(r.info.run_id)}
        assert artifacts == ({"cell.json", "train.jsonl"} if steps else {"cell.json"}), (path, artifacts)
    return numbers


cells = {}
for name in glob.glob(os.path.join(glob.escape(run_dir), "*", "*", "*", "seed-*", "cell.json")):
    folder = os.path.dirname(name)
    steps = []
    if os.path.exists(os.path.join(folder, "train.jsonl")):
        steps = [json.loads(line) for line in open(os.path.join(folder, "train.jsonl"))]
    cells[os.path.relpath(folder, run_dir)] = (json.load(open(name)), steps)
assert cells

events = sum(check_tensorboard(path, *cell) for path, cell in cells.items())
stored = check_mlflow(MlflowClient(tracking_uri="file://" + mlflow_dir), cells)

database = os.path.join(scratch, "mlflow.db")
subprocess.run(
    [sys.executable, "-m", "mlflow", "migrate-filestore", "--source", mlflow_dir, "--target", "sqlite:///" + database, "--no-progress"],
    check=True, capture_output=True, cwd=scratch,
)
migrated = check_mlflow(MlflowClient(tracking_uri="sqlite:///" + database), cells)
print(f"{len(cells)} cells: {events} numbers in event files, {stored} in the file store, {migrated} in the data base")

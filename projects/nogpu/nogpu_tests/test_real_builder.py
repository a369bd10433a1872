"""NVIDIA's own parser and builder, TensorRT-RTX, take every model that ``make engine`` makes."""

import json
import os
import sys

import onnx
import pytest

pytest.importorskip("onnxruntime")

from hotpath import boards
from hotpath.deploy.bundles import prepared
from hotpath.deploy.bundles.order import Order
from hotpath.graphs import convert
from hotpath.runtime.networks import load_network
from nogpu_tests import test_norms
from tests.support import ROOT, run, tiny_cut

LIBRARY = ROOT / ".cache" / "tensorrt-rtx"
BUILD = """
import json, pathlib, sys
import tensorrt_rtx_bindings as trt
from hotpath.deploy.bundles import plans
from hotpath.kernels.cuda import driver
from hotpath.runtime.engines import tensorrt as adapter

driver.describe_gpu = lambda: driver.GpuFacts("none", "8.7", "12.9")
adapter.load_library = lambda: trt
folder = pathlib.Path(sys.argv[1])
said, sizes = [], {}
for half in (False, True):
    request = plans.Request("fp16" if half else "fp32", half_tensors=half)
    builder = plans.PlanBuilder(request, str(folder / "cache"), said.append)
    for path in sorted(folder.glob("*.onnx")):
        if path.stem.endswith("-half") == half:
            sizes[path.stem] = len(builder.build(path, path.stem))
print(json.dumps(sizes))
"""
MARKED = """
import pathlib, sys
import tensorrt_rtx_bindings as trt

logger = trt.Logger(trt.Logger.ERROR)
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    network = trt.Builder(logger).create_network(0)
    assert trt.OnnxParser(network, logger).parse(path.read_bytes()), path
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    kept = [layer for layer in layers if "/in-float32" in layer.name]
    assert {layer.get_output(0).dtype for layer in kept} == {trt.float32}
    print(*sorted(layer.name for layer in kept))
"""


def quantised(folder):
    """Kestrel with Q/DQ in TensorRT's form, from the table of ranges that ships."""
    from hotpath.calib import qdq
    from hotpath.graphs import quantisable, table

    network = load_network("kestrel")
    ranges = table.read(network.path.with_name("kestrel-ranges.json"))
    models = {}
    for part, model in quantisable.parts(network, network.locate()).items():
        kept = set(ranges["keep"]) | (set(ranges["last"]) if part == "search" else set())
        models[part] = qdq.quantised_model(model, table.ranges(ranges, part), "symmetric", kept)
    return qdq.write(network, models, folder, "kestrel-int8-symmetric", "a test", ranges["files"])


def build(folder, network, precision):
    """Prepare a network, and give every model to the builder: what that printed."""
    order = Order(boards.load_board("jetson_orin_nano"), load_network(network), precision)
    prepared.prepare(folder / "prepared", order, lambda sentence: None)
    return give(BUILD, folder / "prepared")


def give(program, folder):
    """Run a program that uses NVIDIA's library, on a folder of models."""
    if not LIBRARY.is_dir():
        pytest.skip("no .cache/tensorrt-rtx; run `make compilers`")
    paths = os.pathsep.join((str(LIBRARY), str(ROOT)))
    return run([sys.executable, "-c", program, folder], env=dict(os.environ, PYTHONPATH=paths))


@pytest.mark.slow("NVIDIA's builder, and 220 MB that only `make test-all` gets")
@pytest.mark.parametrize(
    "write, precision, models",
    [
        (lambda folder: "kestrel", "fp16", 6),  # exemplar, search and windows, in both precisions
        (lambda folder: "kestrel_small", "fp16", 6),
        (quantised, "int8", 6),
        (tiny_cut.write_network, "fp16", 10),  # whole, and cut at its correlation
    ],
    ids=["kestrel", "kestrel_small", "int8", "cut"],
)
def test_every_model_becomes_a_plan(tmp_path, write, precision, models):
    done = build(tmp_path, write(tmp_path), precision)
    assert done.returncode == 0, done.stderr[-3000:]
    sizes = json.loads(done.stdout)
    written = {path.stem for path in (tmp_path / "prepared").glob("*.onnx")}
    assert set(sizes) == written and all(size > 1000 for size in sizes.values())
    assert len(sizes) == models


@pytest.mark.slow("NVIDIA's builder, as above")
def test_a_q_dq_network_is_refused_with_the_one_to_build(tmp_path, monkeypatch):
    monkeypatch.setattr(convert, "check_quantisers", lambda *_: None)  # which refuses it, too
    path = ROOT / "hotpath" / "runtime" / "networks" / "int8" / "kestrel-int8.toml"
    done = build(tmp_path, path, "int8")
    assert done.returncode and "build the NAME-int8-symmetric.toml" in done.stderr


@pytest.mark.slow("NVIDIA's parser, as above")
def test_the_parser_names_the_layers_that_stay_in_float32(tmp_path):
    marked = convert.for_old_tensorrt(test_norms.write_norm(tmp_path / "norm.onnx"))
    onnx.save(marked, str(tmp_path / "norm.onnx"))
    onnx.save(convert.to_float16(marked), str(tmp_path / "norm-half.onnx"))
    done = give(MARKED, tmp_path)
    nodes = {node.name for node in marked.graph.node if node.name}
    half, plain = (set(line.split()) for line in done.stdout.splitlines())
    assert plain == nodes and nodes < half, done.stderr[-3000:]

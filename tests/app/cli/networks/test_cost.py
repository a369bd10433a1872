"""``networks show`` tells a network's cost as real engines see it."""

import re
import types

import onnx
import pytest

from hotpath.app.cli.networks import support
from hotpath.app.cli.networks.__main__ import main
from hotpath.base import projects
from hotpath.graphs import assemble, fusing
from hotpath.runtime.engines.onnxruntime import open_session
from hotpath.runtime.engines.openvino import compile_on_cpu
from hotpath.runtime.networks import load_network
from tests.support.models import model_of


def test_each_figure_that_is_known_before_a_training_is_shown(capsys):
    pytest.importorskip("onnxruntime")
    assert main(["show", "kestrel_small"]) == 0
    said = capsys.readouterr().out
    lines = said.split("files   ")[1].splitlines()[1:]
    told = dict(re.split(r"  +", line, maxsplit=1) for line in lines if line)
    assert re.match(r"about \d+ a frame on a GPU", told["kernels"])
    assert re.match(r"\d+\.\d\d ms a frame \(median\) on CPU, fp32, 1 thread", told["onnxruntime"])
    assert "Conv 2 (the last layers)" in told["INT8"]
    fpga = "cycles a frame" if projects.find("fpga.survey") else "make setup ALSO=fpga"
    assert fpga in told["PYNQ-Z2"]


def test_each_file_has_its_own_time(capsys, monkeypatch):
    """On the test's own clock a run takes as many milliseconds as its model has nodes."""
    pytest.importorskip("onnxruntime")
    now_s, nodes = [0.0], []

    def timed_session(onnxruntime, data, threads):
        session = open_session(onnxruntime, data, threads)
        nodes.append(len(onnx.load_model_from_string(data).graph.node))

        def run(*words, ms=nodes[-1]):
            now_s[0] += ms / 1e3
            return session.run(*words)

        return types.SimpleNamespace(run=run, get_inputs=session.get_inputs)

    monkeypatch.setattr(support, "open_session", timed_session)
    monkeypatch.setattr(support, "time", types.SimpleNamespace(perf_counter=lambda: now_s[0]))
    monkeypatch.setattr(support, "on_engines", lambda *_: [])  # they measure time by themselves
    assert main(["show", "kestrel"]) == 0
    rows = re.findall(r"^(\w+) +[\d,]+ +[\d.]+ +(\S+)  \w+ 1x", capsys.readouterr().out, re.M)
    times = {name: float(ms) for name, ms in rows}
    assert set(times) == {"exemplar", "search"} and times["exemplar"] != times["search"]
    assert set(times.values()) <= set(map(float, nodes))


@pytest.mark.parametrize("name", ["kestrel", "kestrel_fast", "kestrel_small"])
def test_fused_kernels_are_about_as_many_as_openvino_runs(name):
    openvino = pytest.importorskip("openvino")
    network = load_network(name)
    model = assemble.build(network, network.locate()).search
    compiled = compile_on_cpu(openvino, model.SerializeToString(), 1).get_runtime_model()
    kinds = [op.get_rt_info()["layerType"] for op in compiled.get_ordered_ops()]
    moves = ("Input", "Output", "Const", "Reorder", "Reshape")
    run = sum(str(getattr(kind, "value", kind)) not in moves for kind in kinds)
    assert abs(fusing.kernels(model) - run) <= 0.12 * run


def test_the_int8_form_has_the_kernels_of_the_fp32_form():
    networks = [load_network("kestrel_small")]
    path = networks[0].path.parent / "int8" / "kestrel_small-int8.toml"
    networks.append(load_network(str(path)))
    models = [assemble.build(each, each.locate()).search for each in networks]
    assert fusing.kernels(models[0]) == fusing.kernels(models[1])


SWISH = [("Conv", ["x", "w"], ["a"]), ("Sigmoid", ["a"], ["b"]), ("Mul", ["a", "b"], ["y"])]
BRANCH = [
    ("Conv", ["x", "w"], ["a"]),
    ("Relu", ["a"], ["b"]),  # "a" is needed by the layer below, too
    ("Conv", ["a", "w"], ["c"]),
    ("Add", ["b", "c"], ["y"]),
]
EXCITED = [
    ("Conv", ["x", "w"], ["a"]),
    ("GlobalAveragePool", ["a"], ["b"]),
    ("Conv", ["b", "w"], ["c"]),
    ("Sigmoid", ["c"], ["d"]),
    ("Mul", ["a", "d"], ["y"]),
]


@pytest.mark.parametrize(
    ("nodes", "number"),
    [
        ([("Conv", ["x", "w"], ["a"]), ("Relu", ["a"], ["y"])], 1),
        ([("Relu", ["x"], ["a"]), ("Conv", ["a", "w"], ["y"])], 2),
        ([("Conv", ["x", "w"], ["a"]), ("Softmax", ["a"], ["y"])], 2),
        (SWISH, 1),
        (BRANCH, 3),
        (EXCITED, 3),
    ],
)
def test_kernels_are_counted_by_what_fuses(nodes, number):
    model = model_of(nodes, {"x": [1, 3, 8, 8]}, {"y": None}, {"w": [[[[1.0]]] * 3] * 3})
    assert fusing.kernels(model) == number

"""python -m calib.research.backbones: folded backbones compute the same."""

import importlib.util
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="backbones need torch: make setup ALSO=train,backbones")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("matplotlib")

from torch import nn  # noqa: E402  (after the check for torch)

from calib.errors import BadRun  # noqa: E402
from calib.research.backbones import __main__ as backbones  # noqa: E402
from calib.research.backbones import fabric, figures, kestrel, separable, speed  # noqa: E402
from calib.research.train import foreign  # noqa: E402

SMALL = """
from torch import nn

class Small(nn.Sequential):
    def __init__(self):
        layers = []
        for inputs, outputs in ((3, 8), (8, 16), (16, 16), (16, 16)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs)]
            layers += [nn.ReLU()]
        super().__init__(*layers)

class Branched(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 4, 16), nn.BatchNorm2d(8)
        self.depthwise, self.swish = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.SiLU()

    def forward(self, x):
        x = self.norm(self.stem(x))
        return x + self.swish(self.depthwise(x))

class Two(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 4, 3, 2, 1)

class Needs:
    def __init__(self, width):
        pass

number = int
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "small.py"
    path.write_text(SMALL)
    return str(path)


def opened(name, tmp_path, side=63):
    module = kestrel.load(name)
    foreign.settle(module)
    folded, differs = foreign.folded(module)
    return folded, differs, figures.write(folded, tmp_path / "net.onnx", side)


def result_of(model, picture):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"picture": picture})[0]


@pytest.mark.parametrize(
    "name", ["{}:Small", "{}:Branched", "kestrel:tiny", separable.__file__ + ":Separable"]
)
def test_the_folded_onnx_computes_what_the_module_computes(name, own, tmp_path):
    module = kestrel.load(name.format(own))
    foreign.settle(module)
    folded, differs = foreign.folded(module)
    model = figures.write(folded, tmp_path / "net.onnx", 63)
    picture = speed.picture(63, 3)
    with torch.no_grad():
        expected = module(torch.from_numpy(picture)).numpy()
    assert differs < 1e-4
    assert np.abs(result_of(model, picture) - expected).max() <= 1e-4 * np.abs(expected).max()
    assert "BatchNormalization" not in figures.count(model).operators


def test_a_fold_that_changes_the_map_is_refused(own):
    class Wrong(nn.Conv2d):
        def folded(self):
            return nn.Conv2d(3, 4, 3, 16)

    with pytest.raises(BadRun, match="map differs"):
        foreign.folded(Wrong(3, 4, 3, 16).eval())


def test_counts_are_those_by_hand(own, tmp_path):
    found = figures.count(opened(own + ":Small", tmp_path, 64)[2])
    assert (found.channels, found.cells) == (16, 4)
    weights = 9 * (3 * 8 + 8 * 16 + 16 * 16 + 16 * 16)
    assert found.parameters == weights + 8 + 16 + 16 + 16
    macs = 9 * (3 * 8 * 32**2 + 8 * 16 * 16**2 + 16 * 16 * 8**2 + 16 * 16 * 4**2)
    assert found.macs == macs
    assert (found.elementwise, found.branches, found.grouped) == (0, 0, 0)
    assert found.activations == 2 * (8 * 32**2 + 16 * 16**2 + 16 * 8**2 + 16 * 4**2)
    branched = figures.count(opened(own + ":Branched", tmp_path, 64)[2])
    # sigmoid and product of the swish, and the sum
    assert (branched.elementwise, branched.branches, branched.grouped) == (3, 2, 1)


def test_a_turn_is_a_run_after_the_others_and_the_same_again():
    order = []
    times = speed.in_turns({name: lambda name=name: order.append(name) for name in "ab"}, rounds=3)
    assert order == list("aabb") * (speed.WARM_UP + 3)
    assert all(len(found.cold) == len(found.warm) == 3 for found in times.values())


def test_int8_is_near_the_floats(own, tmp_path):
    model = opened(own + ":Small", tmp_path)[2]
    int8 = speed.int8(model)
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in int8.graph.node}
    one, other = (result_of(m, speed.picture(63, 0)) for m in (model, int8))
    assert np.abs(one - other).max() < 0.1 * np.abs(one).max()


def test_an_fpga_gives_cycles_or_names_what_it_refuses(own, tmp_path):
    small = opened(own + ":Small", tmp_path)[2]
    found = fabric.cycles(small, small, ["pynq_z2", "kv260"])
    assert 1000 < found["kv260"] < found["pynq_z2"]
    branched = opened(own + ":Branched", tmp_path)[2]
    assert "strides [16, 16]" in fabric.cycles(branched, branched, ["pynq_z2"])["pynq_z2"]


@pytest.mark.parametrize(
    "name, words",
    [
        ("{}:Two", "stride of 2, not 16"),
        ("{}:Needs", "must be called without arguments"),
        ("{}:number", "is no torch.nn.Module"),
        ("{}:Nothing", "has no class Nothing"),
        ("absent.py:Small", "is not there"),
        ("kestrel:k1", "has no backbone k1; there are: k80"),
    ],
)
def test_a_backbone_that_can_not_be_opened_is_one_sentence(name, words, own):
    with pytest.raises(BadRun, match=words):
        kestrel.load(name.format(own))


@pytest.mark.slow("large networks of timm")
def test_models_of_timm_are_cut_at_the_stride_and_folded(tmp_path):
    if importlib.util.find_spec("timm") is None:
        pytest.skip("needs timm: make setup ALSO=train,backbones")
    _, differs, model = opened("timm:mobileone_s0", tmp_path, 63)
    found = figures.count(model)
    assert differs < 1e-4 and (found.channels, found.cells) == (256, 4)
    assert set(found.operators) == {"Conv", "Relu"}  # one branch alone is left
    with pytest.raises(BadRun, match="no model mobileone_x9; near it: mobileone_s0"):
        kestrel.load("mobileone_x9")
    with pytest.raises(BadRun, match="no map of stride 3; its strides: 2, 4, 8, 16, 32"):
        kestrel.load("mobileone_s0", stride=3)


def test_the_command_writes_rows_and_the_table(own, tmp_path):
    out = tmp_path / "out"
    arguments = ["kestrel:tiny", own + ":Small", own + ":Branched", "--out", str(out)]
    arguments += ["--rounds", "3", "--side", "63", "--exemplar", "31", "--board", "kv260"]
    assert backbones.main(arguments) == 0
    table = [line.strip("| ").split(" | ") for line in (out / "table.md").read_text().splitlines()]
    head, _, *rows = table[:5]
    assert head[-1] == "kv260, cycles" and {row[0] for row in rows} == set(arguments[:3])
    first = [min(float(v) for t, v in zip(head, row) if t.endswith("ms")) for row in rows]
    assert first == sorted(first)  # the fastest first
    kept = json.loads((out / "kestrel_tiny.json").read_text())
    assert kept["measured"]["command"].startswith("python -m calib.")
    for engine in kept["ms"]:
        assert len(kept["layers_ms"][engine]["fp32"]) >= 4
    assert "can't do" in (out / "table.md").read_text()


def test_what_is_left_out_is_told_and_the_exit_code_is_not_zero(own, tmp_path, capsys):
    arguments = ["kestrel:tiny", own + ":Two", "--out", str(tmp_path), "--rounds", "1"]
    arguments += ["--side", "63", "--exemplar", "31", "--board", "pynq_z2"]
    assert backbones.main(arguments) == 1
    assert "left out: " in capsys.readouterr().err
    assert backbones.main([own + ":Two", "--out", str(tmp_path)]) == 2
    with pytest.raises(SystemExit, match="2"):
        backbones.main([*arguments[:1], "--board", "no_board", "--out", str(tmp_path)])

"""Programs of the FPGA compiler, run on the engine's definition, compute what the network does."""

import sys

import numpy as np
import pytest

if sys.version_info < (3, 10):
    pytest.skip("the compiler is for Python 3.10 or newer", allow_module_level=True)
pytest.importorskip("onnxruntime")

import onnx.reference

import hotpath_fpga as design
from fpga_tests import fpga_nets, fpga_sizes
from fpga_tests.fpga_quantised import Simulation
from fpga_tests.kernels.benches.machine_bench import PLAIN
from hotpath.graphs import quantisable
from hotpath.kernels.fpga import tables
from hotpath.runtime.networks import load_network, sha256_of
from hotpath_fpga.compile import compile_network
from hotpath_fpga.compiler import exponents, graph
from hotpath_fpga.compiler.hazards import UNITS, accesses, conflict, waits
from hotpath_fpga.compiler.layers import CannotCompile
from hotpath_fpga.compiler.survey import survey
from hotpath_fpga.model import NumpyMachine
from hotpath_fpga.runner import MEMORY, FpgaRunner


def checked(compiled, models, network, size, sides, rng, frames=2):
    """Check that every output equals the simulation's bit for bit, and that no wait is missing."""
    bed = FpgaRunner(compiled, NumpyMachine(size, MEMORY))
    simulation = Simulation(compiled, models)

    def look(part):
        """Show a random picture to the engine; returns it."""
        crop, side = fpga_nets.picture(rng, sides[part]), sides[part]
        assert not unordered(commands_of(compiled, part), size)
        assert bed.look(part, crop, (0, 0, side, side), (0, 0, 0)) == tables.IS_DONE
        return crop

    features = simulation.run("exemplar", look("exemplar"), network)
    names = {value.name for value in models["search"].graph.input}
    features = {name: value for name, value in features.items() if name in names}
    maps = [view.maps[0] for _, view, _ in simulation.parts["search"].outputs]
    for _ in range(frames):
        expected = simulation.run("search", look("search"), network, features)
        for made, entry in zip(maps, compiled.run["maps"]):
            found = bed.map(entry)
            np.testing.assert_array_equal(found, expected["whole:" + made.name])
            assert len(np.unique(found)) > 8  # no constant is compared
        if compiled.run["seen"]:
            seen = compiled.run["seen"]
            np.testing.assert_array_equal(bed.map(seen), expected["whole:" + seen["name"]])


def commands_of(compiled, part):
    """List of (name, fields) of a program."""
    entry = compiled.run["programs"][part]
    places = range(entry["offset"], entry["offset"] + 64 * entry["commands"], 64)
    return [tables.unpack(compiled.image[at : at + 64]) for at in places]


@pytest.mark.parametrize("board", sorted(design.sizes()))
def test_kestrel_small_is_the_simulation_of_its_whole_numbers(board):
    network = load_network("kestrel_small")
    found = compile_network(network, size_name=board)
    models = quantisable.parts(network, network.locate(None))
    sides = {"exemplar": network.exemplar, "search": network.search}
    rng = np.random.default_rng(1)
    checked(found, models, network, design.sizes()[board], sides, rng)


SIDES = {"exemplar": 15, "search": 47}


def wide(x, source, channels):
    """More parameters than the engine holds: 6 times 16 blocks, of 64."""
    for _ in range(6):
        source = x.relu(x.conv(source, channels, 256, kernel=1))
        channels = 256
    return [x.conv(source, 256, 1, kernel=1)]


def heavy(x, source, channels):
    """A bias so far above its weights that their finest steps are beyond 32 bits."""
    values = x.rng.normal(0, 1e-6, (16, channels, 1, 1)), x.rng.normal(0, 3000, 16)
    made = x.node("Conv", [source] + [x.constant(v.astype(np.float32)) for v in values])
    joined = x.node("Concat", [made, source], axis=1)
    return [x.conv(joined, 16 + channels, 1, kernel=1)]


def two_tables(x, source, channels):
    first = x.node("HardSwish", [x.conv(source, channels, 16, kernel=1)])
    second = x.node("Tanh", [x.conv(first, 16, 16, kernel=1)])
    return [x.conv(second, 16, 8, kernel=1)]


ONE_LANE = fpga_sizes.size(1)
NETS = {
    **{
        (name, lanes): (middle, first, fpga_sizes.size(lanes))
        for lanes in (1, 2, 4)
        for name, middle, first in (
            ("towers", fpga_nets.towers, 8),
            ("blocks", fpga_nets.blocks, 8),
            ("wide first layer", fpga_nets.towers, 20),
        )
    },
    "parameters loaded as they are needed": (wide, 8, ONE_LANE),
    "two tables": (two_tables, 8, ONE_LANE),
    # the trunk has 2 x 9 x 4 tiles
    "a layer in parts": (fpga_nets.towers, 8, fpga_sizes.size(1, tiles=64)),
}


@pytest.mark.parametrize("net", NETS)
def test_small_networks_equal_their_simulation_in_whole_numbers(net):
    rng, (middle, first, size) = np.random.default_rng(5), NETS[net]
    models = fpga_nets.pixelwise(rng, SIDES, middle, first)
    found = fpga_nets.compiled(models, SIDES, rng, size)
    checked(found, models, fpga_nets.FpgaNet, size, SIDES, rng, frames=1)


def small(middle, size=ONE_LANE, first=8):
    """A small network, compiled."""
    rng = np.random.default_rng(9)
    return fpga_nets.compiled(fpga_nets.pixelwise(rng, SIDES, middle, first), SIDES, rng, size)


def test_a_bias_far_above_its_weights_stays_what_it_is():
    for work in [work for _, _, works in small(heavy).reference for work in works]:
        layer, numbers = work.layer, work.numbers
        if numbers.weight is not None:
            made = layer.output
            step = 2.0 ** (made.sums_exponent - numbers.shift.astype(int))
            assert (np.abs(numbers.bias * step - (layer.bias - made.centre)) <= step).all()


@pytest.fixture(scope="module")
def kestrel():
    return compile_network(load_network("kestrel_small"))


def test_kestrel_small_takes_the_steps_of_its_multiplications(kestrel):
    search = kestrel.run["programs"]["search"]
    assert search["macs"] == 98_738_176 and search["map_words"] == 12288
    assert search["steps"] == 403_456  # 95.6 % of 256 products a step are the network's own


def test_two_compilations_give_the_same_bytes(kestrel):
    again = compile_network(load_network("kestrel_small"))
    assert again.image == kestrel.image and again.run == kestrel.run


def test_loads_after_the_strips_leave_memory_to_the_crop(kestrel):
    commands = commands_of(kestrel, "search")
    names = [name for name, _ in commands]
    crops, last = names.count("CROP"), len(names) - names[::-1].index("CROP")
    before, behind = (
        [fields for name, fields in some if name == "LOAD"]
        for some in (commands[:last], commands[last:])
    )
    assert crops > 1 and all(fields["wait_crop"] == crops for fields in behind)
    assert all(fields["wait_crop"] == 0 for fields in before)
    # only what the layers on strips need comes before
    strips = [fields for name, fields in commands[:last] if name == "CONV"]
    tiles = {fields["weight_tile"] for fields in strips}
    weights = [one for one in before if one["target"] == tables.TARGETS["WEIGHTS"]]
    assert {one["beat"] // 16 for one in weights} == tiles


@pytest.mark.parametrize("channels, is_held", [(8, True), (256, False)])
def test_weights_slower_than_the_last_strips_are_not_held_back(channels, is_held):
    def middle(x, source, first):
        source = x.relu(x.conv(source, first, channels))
        return [x.conv(source, channels, 1, kernel=1)]

    commands = commands_of(small(middle), "search")
    loads = [fields for name, fields in commands if name == "LOAD"]
    assert any(fields["wait_crop"] for fields in loads) == is_held


def test_results_go_to_memory_in_the_order_of_their_making(kestrel):
    commands = commands_of(kestrel, "search")
    needed = [fields["wait_conv"] for name, fields in commands if name == "STORE"]
    assert len(set(needed)) > 1 and needed == sorted(needed)


# -- exponents


@pytest.mark.parametrize(
    "operator, given",
    [(each, {}) for each in sorted(set(graph.FUNCTIONS) - {"Clip"})]
    + [(each, {"alpha": 0.3}) for each in ("Elu", "HardSigmoid", "LeakyRelu")],
)
def test_functions_of_one_value_are_those_of_onnx(operator, given):
    node = onnx.helper.make_node(operator, ["x"], ["y"], **given)
    of_floats = onnx.helper.make_tensor_value_info
    x, y = (of_floats(name, onnx.TensorProto.FLOAT, [500]) for name in "xy")
    values = np.random.default_rng(3).normal(0, 3, 500).astype(np.float32)
    model = onnx.helper.make_model(onnx.helper.make_graph([node], operator, [x], [y]))
    (expected,) = onnx.reference.ReferenceEvaluator(model).run(None, {"x": values})
    np.testing.assert_allclose(graph.function_of(node, {})(values), expected, atol=1e-5)


def test_exponents_reach_the_range_with_the_least_step():
    found = [exponents.activation_exponent(most) for most in (127.0, 128.0, 0.5, 0.0)]
    assert found == [0, 1, -7, exponents.LEAST]


def test_weights_take_the_exponent_of_the_least_error():
    weight = np.random.default_rng(2).normal(0, 0.1, (5, 36)) * [[1], [10], [0.1], [1], [3]]
    own = exponents.weight_exponents(weight)
    tried = np.arange(-20, 4)
    for row, found in zip(weight, own):
        whole = [exponents.rounded(row[None], np.array([e])) for e in tried]
        errors = [((w * 2.0**e - row) ** 2).sum() for w, e in zip(whole, tried)]
        assert whole[0].dtype == np.int8 and found == tried[np.argmin(errors)]


# -- hazards


def unordered(commands, size):
    """Pairs of commands, by their numbers, that depend on each other and that no wait orders."""
    seen = []
    found = []
    places = {unit: [] for unit in UNITS.values()}
    for number, (name, fields) in enumerate(commands):
        before = 0  # numbers of commands that have surely ended, a bit each
        for unit, numbers in places.items():
            for ended in numbers[: fields["wait_" + unit]]:
                before |= 1 << ended | seen[ended][0]
        touched = accesses(name, fields, size)
        for other, (_, others) in enumerate(seen):
            if not before >> other & 1 and (name == "END" or conflict(*touched, *others)):
                found.append((number, other))
        if name == "END":
            return found
        seen.append((before, touched))
        places[UNITS[name]].append(number)
    raise AssertionError("the program has no end")


@pytest.mark.parametrize("target", ["WEIGHTS", "PARAMS", "TABLE"])
def test_what_a_convolution_reads_is_not_loaded_before_its_end(target):
    conv = dict(dict.fromkeys(tables.FIELDS["CONV"], 0), **PLAIN, table=1)
    load = dict(dict.fromkeys(tables.FIELDS["LOAD"], 0), target=tables.TARGETS[target], bytes=256)
    found = waits([("CONV", conv), ("LOAD", load)], ONE_LANE)
    assert found[1]["wait_conv"] == 1


def test_every_wait_that_is_left_out_is_found(kestrel):
    commands = commands_of(kestrel, "exemplar")
    left_out = 0
    for number, (name, fields) in enumerate(commands):
        for field in ("wait_load", "wait_crop", "wait_conv", "wait_store"):
            if fields[field]:
                changed = list(commands)
                changed[number] = name, dict(fields, **{field: 0})
                # a wait may be implied by another: the convolution before waited for that load
                left_out += bool(unordered(changed, design.sizes()["pynq_z2"]))
    assert left_out > 40


# -- refusals


def gated(x, source, channels):
    gate = x.node("Sigmoid", [x.conv(source, channels, channels, kernel=1)])
    return [x.conv(x.node("Mul", [source, gate]), channels, 1, kernel=1)]


def pooled(x, source, channels):
    pooled = x.node("MaxPool", [source], kernel_shape=[2, 2], strides=[2, 2])
    return [x.conv(pooled, channels, 1, kernel=1)]


def two_strides(x, source, channels):
    trunk = x.relu(x.conv(source, channels, 16, kernel=1))
    return [x.conv(trunk, 16, 1, stride=2), x.conv(trunk, 16, 1)]


REFUSED = [
    (gated, {}, ["(Mul)", "squeeze-and-excitation"]),
    (pooled, {}, ["(MaxPool)"]),
    (two_strides, {"lanes": 2}, ["strides of 1 and 2"]),
    (lambda x, source, n: [x.conv(source, n, 1, stride=3)], {}, ["strides of 1 and 2"]),
    (lambda x, source, n: [x.conv(source, n, 1, stride=2, dilation=2)], {"lanes": 2}, ["dilation"]),
    (
        lambda x, source, n: [x.node("Conv", [source, x.conv(source, n, n)])],
        {},
        ["(Conv)", "pixel-wise correlations"],
    ),
    (fpga_nets.towers, {"words": 128}, ["words", "128 in all"]),
    (fpga_nets.blocks, {"tiles": 16}, ["weight tiles", "this size has 16"]),
]


@pytest.mark.parametrize("middle, size, texts", REFUSED)
def test_what_the_engine_can_not_do_is_refused_with_its_name(monkeypatch, middle, size, texts):
    """A survey of the network, which needs no ranges, says the same."""
    size = fpga_sizes.size(**{"lanes": 1, **size})
    with pytest.raises(CannotCompile) as caught:
        small(middle, size)
    assert all(text in str(caught.value) for text in texts)
    monkeypatch.setattr(design, "sizes", lambda: {"a board": size})
    models = fpga_nets.pixelwise(np.random.default_rng(9), SIDES, middle)
    refused = survey(fpga_nets.FpgaNet, models, "a board").refused
    assert [sentence for _, sentence in refused] == [str(caught.value)]


@pytest.mark.parametrize("middle", [fpga_nets.towers, fpga_nets.blocks])
def test_a_survey_refuses_nothing_of_a_network_that_compiles(middle):
    models = fpga_nets.pixelwise(np.random.default_rng(9), SIDES, middle)
    assert survey(fpga_nets.FpgaNet, models, "kv260").refused == []


def test_a_survey_goes_on_behind_what_is_refused():
    def middle(x, source, channels):
        excited = x.node("Mul", [source, x.node("GlobalAveragePool", [source])])
        swished = x.node("HardSwish", [x.conv(excited, channels, 8)])
        pooled = x.node("MaxPool", [swished], kernel_shape=[2, 2])
        return [x.conv(pooled, 8, 1, kernel=5), x.conv(swished, 8, 2, stride=3)]

    models = fpga_nets.pixelwise(np.random.default_rng(1), SIDES, middle)
    found = survey(fpga_nets.FpgaNet, models, "kv260").refused
    assert [operator for operator, _ in found] == ["GlobalAveragePool", "Mul", "MaxPool", "Conv"]


def test_what_reads_an_unknown_tensor_is_not_refused_for_it():
    def middle(x, source, channels):
        shapes = [
            x.constant(np.array(shape)) for shape in ([1, channels, -1], [1, channels, 12, 12])
        ]
        mixed = x.node("Softmax", [x.node("Reshape", [source, shapes[0]])])
        return [x.conv(x.node("Reshape", [mixed, shapes[1]]), channels, 1, stride=3)]

    models = fpga_nets.pixelwise(np.random.default_rng(1), SIDES, middle)
    found = survey(fpga_nets.FpgaNet, models, "kv260").refused
    assert [operator for operator, _ in found] == ["Softmax", "Conv"]


def test_cycles_of_a_survey_equal_the_program_with_true_ranges(kestrel):
    network = load_network("kestrel_small")
    found = survey(network, quantisable.parts(network, network.locate()), "pynq_z2")
    assert found.cycles == kestrel.run["programs"]["search"]["cycles"] > 0


@pytest.mark.parametrize("name", ["nanotrack_v1", "nanotrack_v2", "nanotrack_v3"])
def test_nanotrack_is_refused_in_a_sentence(name, networks_dir):
    network = load_network(name)
    paths = network.locate(networks_dir)
    files = {part: sha256_of(path) for part, path in paths.items()}
    with pytest.raises(CannotCompile) as caught:
        compile_network(network, paths, {"files": files, "network": name, "tensors": {}})
    assert "needs" in str(caught.value)

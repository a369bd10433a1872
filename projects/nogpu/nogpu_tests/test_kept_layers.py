"""The layers that an INT8 report kept in floating point stay so on a Jetson."""

import json

import pytest

pytest.importorskip("onnxruntime")

from hotpath import boards
from hotpath.calib import qdq
from hotpath.deploy.bundles import plans, prepared
from hotpath.deploy.bundles.order import Order
from hotpath.graphs import quantisable, table
from hotpath.runtime.networks import load_network
from hotpath_nogpu.tensorrt import machine

NETWORK = "kestrel_small"
KEPT = ["/layers/layers.2/layers.2.0/Conv", "/score/score.0/score.0.0/Conv"]


def prepare(folder, keep):
    """Prepare a network whose report kept some layers; returns the table and ``prepared.json``."""
    network = load_network(NETWORK)
    ranges = table.read(network.path.with_name(f"{NETWORK}-ranges.json"))
    ranges["keep"] = list(keep)
    path = folder / "ranges.json"
    table.write(ranges, path)
    order = Order(boards.load_board("jetson_orin_nano"), network, "int8", calibration=path)
    prepared.prepare(folder / "prepared", order, lambda sentence: None)
    return ranges, prepared.read(folder / "prepared")


def measured_in_float(ranges):
    """Tensors of the layers that stay in float in the Q/DQ form, which the report measured."""
    network = load_network(NETWORK)
    tensors = set()
    for part, model in quantisable.parts(network, network.locate()).items():
        kept = set(ranges["keep"]) | (set(ranges["last"]) if part == "search" else set())
        form = qdq.quantised_model(model, table.ranges(ranges, part), "symmetric", kept)
        dequantised = {n.output[0] for n in form.graph.node if n.op_type == "DequantizeLinear"}
        for node in form.graph.node:
            weighs = node.op_type in quantisable.WEIGHTED
            if weighs and node.input[1] not in dequantised:
                tensors.add(node.output[0])
    return tensors


@pytest.mark.parametrize("keep", [[], KEPT], ids=["none", "some"])
def test_a_prepared_folder_keeps_the_layers_of_the_report(tmp_path, keep):
    ranges, values = prepare(tmp_path, keep)
    network = load_network(NETWORK)
    models = quantisable.parts(network, network.locate())
    weighs = {n.output[0] for m in models.values() for n in quantisable.weighted_layers(m)}
    assert set(values["float_tensors"]) & weighs == measured_in_float(ranges) & weighs
    names = {quantisable.base(n.name) for m in models.values() for n in m.graph.node}
    assert set(keep) < names  # the layers that this test names exist


def test_the_builder_uses_float16_and_keeps_the_scales(tmp_path):
    _, values = prepare(tmp_path, KEPT)
    board = machine.FakeBoard("8.6", "8.7")
    board.be("jetson_orin_nano")
    try:
        asked = {key: values[key] for key in plans.Request._fields if key in values}
        builder = plans.PlanBuilder(plans.Request(**asked), str(tmp_path), lambda sentence: None)
        model = values["forms"]["whole"]["models"][1]
        builder.build(tmp_path / "prepared" / model, "search")
        seen = board.machine.seen
    finally:
        board.leave()
    kept = {name for what, name in seen if what == "kept tensor"}
    search = {name for name in values["float_tensors"] if not name.startswith("z/")}
    assert kept == search & kept and any(name.endswith(KEPT[1] + "_output_0") for name in kept)
    assert {entry[1:3] for what, entry in seen if what == "kept"} == {("HALF", "HALF")}
    assert ("flag", "OBEY_PRECISION_CONSTRAINTS") in seen
    assert f"x/{KEPT[1]}_output_0" in values["scales"]  # by which an INT8 layer reads it


def test_a_shipped_table_is_enough_for_an_int8_folder(tmp_path):
    order = Order(boards.load_board("jetson_orin_nano"), load_network(NETWORK), "int8")
    prepared.prepare(tmp_path / "prepared", order, lambda sentence: None)
    assert json.loads((tmp_path / "prepared" / prepared.FILE).read_text())["scales"]
    assert prepared.is_current(tmp_path / "prepared", order)

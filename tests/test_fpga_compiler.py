"""What the FPGA compiler writes does in the engine's definition what the network says."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the compiler needs onnx and ONNX Runtime")

from kernels.fpga import compiler, tables
from kernels.fpga.compiler.evaluate import Runner
from kernels.fpga.compiler.hazards import hazards
from kernels.fpga.model import Machine
from runtime.networks import load_network
from tests import fpga_nets
from tests.fpga_quantised import Simulation

DONE = tables.IS_DONE


class Bed(Runner):
    """A ``Runner`` on the model, for a size that no board has."""

    def __init__(self, compiled, size):
        self.size = size
        super().__init__(compiled, Machine(size, 64 << 20))


def checked(compiled, models, network, size, sides, rng, frames=2):
    """Every output of the engine is the simulation's, bit for bit, and no wait is missing."""
    bed, simulation = Bed(compiled, size), Simulation(compiled, models)
    for entry in compiled.run["programs"].values():
        assert hazards(program_of(compiled, entry), size) == []
    crop = fpga_nets.picture(rng, sides["exemplar"])
    whole = (0, 0, sides["exemplar"], sides["exemplar"])
    assert bed.look("exemplar", crop, whole, (0, 0, 0)) == DONE
    features = simulation.run("exemplar", crop, network)
    names = {value.name for value in models["search"].graph.input}
    features = {name: value for name, value in features.items() if name in names}
    part = simulation.parts["search"]
    maps = [view.maps[0] for _, view, _ in part.outputs]
    for _ in range(frames):
        crop = fpga_nets.picture(rng, sides["search"])
        whole = (0, 0, sides["search"], sides["search"])
        assert bed.look("search", crop, whole, (0, 0, 0)) == DONE
        expected = simulation.run("search", crop, network, features)
        for made, entry in zip(maps, compiled.run["maps"]):
            found = bed.map(entry)
            np.testing.assert_array_equal(found, expected["whole:" + made.name])
            assert len(np.unique(found)) > 8  # no constant is compared
        if compiled.run["seen"]:
            seen = compiled.run["seen"]
            np.testing.assert_array_equal(bed.map(seen), expected["whole:" + seen["name"]])


def program_of(compiled, entry):
    return compiled.image[entry["offset"] : entry["offset"] + 64 * entry["commands"]]


@pytest.mark.parametrize("board", sorted(tables.sizes()))
def test_kestrel_is_the_simulation_of_its_whole_numbers(board):
    network = load_network("kestrel")
    found = compiler.compile(network, size_name=board)
    models = compiler.qdq.parts(network, network.locate(None))
    sides = {"exemplar": network.exemplar, "search": network.search}
    rng = np.random.default_rng(1)
    checked(found, models, network, tables.sizes()[board], sides, rng)


SIDES = {"exemplar": 15, "search": 47}
NETS = {
    "towers": lambda rng: fpga_nets.pixelwise(rng, SIDES, fpga_nets.towers),
    "blocks": lambda rng: fpga_nets.pixelwise(rng, SIDES, fpga_nets.blocks),
    "wide first layer": lambda rng: fpga_nets.pixelwise(rng, SIDES, fpga_nets.towers, 20),
    "depthwise": lambda rng: fpga_nets.depthwise(rng, SIDES),
}


@pytest.mark.parametrize("name", sorted(NETS))
@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_small_networks_are_the_simulation_of_their_whole_numbers(name, lanes):
    rng = np.random.default_rng(5)
    models, size = NETS[name](rng), fpga_nets.size(lanes)
    found = fpga_nets.compiled(models, SIDES, rng, size)
    checked(found, models, fpga_nets.Net, size, SIDES, rng, frames=1)

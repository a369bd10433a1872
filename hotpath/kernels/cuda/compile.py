"""Compiles a .cu file for a GPU, once, with NVRTC, CUDA's run-time compiler.

The result is cached. Its file name holds the GPU's architecture and a hash of the sources, the
flags and the compiler's version. Which result a driver loads:

- machine code (a cubin) of a CUDA with the same or an older major version;
- PTX, which the driver itself compiles, of a CUDA that is not newer than the driver.

So a compiler whose major version is above the driver's is not used. A GPU that no compiler knows
gets PTX of the newest architecture below its own. NVRTC before 11.1 (Nano, TX2: 10.2) makes only
PTX.
"""

import contextlib
import ctypes
import glob
import os
import sys
import tempfile
from typing import Any, Iterable, Iterator, List, Optional, Sequence, Tuple

from hotpath.base import cache
from hotpath.base.errors import NoCompiler, first_error

HERE = os.path.dirname(os.path.abspath(__file__))
# The kernels' own .cu files.
SOURCES = ("crop", "peaks", "correlate")
HEADERS = sorted(
    glob.glob(os.path.join(HERE, "*.h")) + glob.glob(os.path.join(HERE, os.pardir, "*.h"))
)
FLAGS = ("--fmad=false", "--std=c++14")  # only the sources decide where a value is rounded
CUDA_HOMES = ("/usr/local/cuda", "/opt/cuda")
NVRTC_NAMES = ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so.10.2")
FIRST_CUBIN = (11, 1)  # the first NVRTC that makes machine code
# The architectures of NVRTC 10.2, which can't be asked for them.
OLDEST_KNOWN = (30, 32, 35, 37, 50, 52, 53, 60, 61, 62, 70, 72, 75)


def source(name: str) -> str:
    """Path of one of the kernels' own .cu files, such as "crop"."""
    return os.path.join(HERE, name + ".cu")


def binary(
    path: str,
    capability: int,
    driver_version: Optional[int] = None,
    folders: Optional[Sequence[str]] = None,
    compilers: Optional[Iterable[Any]] = None,
) -> str:
    """The compiled form of a .cu file; it is compiled now if that has not been done.

    Args:
        path: the .cu file.
        capability: compute capability of the GPU, such as 87.
        driver_version: newest CUDA version that the driver supports, such as 12060; None: any.
        folders: where the result may be put; the first that works is taken. Default: ``build``
            beside this file, the user's cache, the temporary folder.
        compilers: those to try in turn; default: ``available()``.

    Returns:
        Path of a .cubin or .ptx file.

    Raises:
        NoCompiler: there is none that fits the driver, all fail, or no folder can hold the result.
    """
    driver = (
        None if driver_version is None else (driver_version // 1000, driver_version % 1000 // 10)
    )
    problems: List[str] = []
    without: List[Any] = []  # compilers that do not know the GPU
    for compiler in available() if compilers is None else compilers:
        if driver is not None and compiler.number[0] > driver[0]:
            problems.append(_too_new(compiler.version, driver))
        elif capability not in compiler.architectures:
            without.append(compiler)
        else:
            try:
                return _cached(path, capability, compiler, folders, capability, False)
            except NoCompiler as error:
                problems.append(str(error))
    for compiler in without:
        try:
            return _ptx(path, capability, driver, compiler, folders)
        except NoCompiler as error:
            problems.append(str(error))
    none = (
        "no CUDA compiler found (libnvrtc); on a Jetson run `sudo apt install cuda-nvrtc-dev-*`, "
        "elsewhere `pip install nvidia-cuda-nvrtc-cu12`"
    )
    raise NoCompiler((problems + [none])[0])


def available() -> Iterator[Any]:
    """The compilers of this computer, in the order in which they are tried."""
    seen = set()
    for name in _nvrtc_places():
        try:
            nvrtc = Nvrtc(name)
        except OSError:
            continue
        if nvrtc.number not in seen:
            seen.add(nvrtc.number)
            yield nvrtc


def _too_new(version: str, driver: Tuple[int, int]) -> str:
    major, minor = driver
    advice = f"pip install nvidia-cuda-nvrtc-cu{major}"
    if major >= 13:
        advice = f'pip install "nvidia-cuda-nvrtc=={major}.*"'
    elif major < 11:
        advice = f"sudo apt install cuda-nvrtc-dev-{major}-{minor}"
    return (
        f"{version} is newer than the NVIDIA driver, which supports CUDA {major}.{minor}; run "
        f"`{advice}`"
    )


def _ptx(
    path: str,
    capability: int,
    driver: Optional[Tuple[int, int]],
    compiler: Any,
    folders: Optional[Sequence[str]],
) -> str:
    """PTX of the newest architecture that the compiler knows below the GPU's."""
    older = [architecture for architecture in compiler.architectures if architecture < capability]
    if not older:
        raise NoCompiler(
            f"{compiler.version} does not know a GPU of compute capability {capability // 10}."
            f"{capability % 10}; install another CUDA"
        )
    if driver is not None and compiler.number > driver:
        raise NoCompiler(_too_new(compiler.version, driver))
    return _cached(path, capability, compiler, folders, max(older), True)


def _nvrtc_places() -> Iterator[str]:
    yield from NVRTC_NAMES
    for home in CUDA_HOMES:
        yield os.path.join(home, "lib64", "libnvrtc.so")
    for folder in sys.path:  # the wheel
        yield from glob.glob(os.path.join(folder, "nvidia", "c*", "lib", "libnvrtc.so.*"))


class Nvrtc:
    """CUDA's run-time compiler.

    Args:
        name: name of the library, or its path.

    Raises:
        OSError: it can't be loaded.

    Attributes:
        number: (major, minor).
        version: the same as text.
        architectures: compute capabilities that it compiles for, such as 87.
    """

    def __init__(self, name: str) -> None:
        self.library = ctypes.CDLL(name)
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        self.number = (major.value, minor.value)
        self.version = "NVRTC {}.{}".format(*self.number)
        self.architectures = self._architectures()

    def compile(self, path: str, capability: int, ptx: bool = False) -> Tuple[bytes, str]:
        """Compile a .cu file.

        Args:
            path: path of the file.
            capability: one of ``architectures``.
            ptx: whether to make PTX instead of machine code.

        Returns:
            (bytes, ".cubin" or ".ptx").

        Raises:
            NoCompiler: it fails; the message has the line of the first error.
        """
        ptx = ptx or self.number < FIRST_CUBIN
        options = FLAGS + (
            f"--gpu-architecture={'compute' if ptx else 'sm'}_{capability}",
            "--include-path=" + HERE,
            "--include-path=" + os.path.dirname(HERE),  # where families.h finds geometry.h
        )
        with open(path, "rb") as file:
            text = file.read()
        uselocale = ctypes.CDLL(None).uselocale  # NVRTC 11 leaves "C" to this thread: ASCII files
        uselocale.argtypes, uselocale.restype = [ctypes.c_void_p], ctypes.c_void_p
        program, before = ctypes.c_void_p(), uselocale(None)
        name = os.path.basename(path).encode()
        self._check(
            self.library.nvrtcCreateProgram(ctypes.byref(program), text, name, 0, None, None)
        )
        try:
            words = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
            if self.library.nvrtcCompileProgram(program, len(options), words):
                log = self._get(program, "ProgramLog").rstrip(b"\0").decode("utf-8", "replace")
                raise NoCompiler(f"{self.version} fails: {first_error(log)}")
            if ptx:
                return self._get(program, "PTX").rstrip(b"\0"), ".ptx"
            return self._get(program, "CUBIN"), ".cubin"
        finally:
            self.library.nvrtcDestroyProgram(ctypes.byref(program))
            uselocale(before)

    def _architectures(self) -> Tuple[int, ...]:
        count = ctypes.c_int()
        if not hasattr(self.library, "nvrtcGetSupportedArchs"):  # before 11.2
            return OLDEST_KNOWN
        self._check(self.library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
        numbers = (ctypes.c_int * count.value)()
        self._check(self.library.nvrtcGetSupportedArchs(numbers))
        return tuple(numbers)

    def _get(self, program: Any, what: str) -> bytes:
        size = ctypes.c_size_t()
        self._check(getattr(self.library, "nvrtcGet" + what + "Size")(program, ctypes.byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        self._check(getattr(self.library, "nvrtcGet" + what)(program, buffer))
        return buffer.raw

    def _check(self, result: int) -> None:
        if result:
            describe = self.library.nvrtcGetErrorString
            describe.restype = ctypes.c_char_p
            raise NoCompiler(f"{self.version}: {describe(result).decode()}")


def _cached(
    path: str,
    capability: int,
    compiler: Any,
    folders: Optional[Sequence[str]],
    target: int,
    ptx: bool,
) -> str:
    """Path of the file compiled for ``target``, in the first folder that can hold it."""
    stem, kind = os.path.splitext(os.path.basename(path))[0], f"-ptx{target}" if ptx else ""
    key = cache.digest((compiler.version, FLAGS), [path] + HEADERS)
    name = f"{stem}-sm{capability}{kind}-{key}"
    if folders is None:
        folders = (cache.USERS,)
        with contextlib.suppress(OSError):  # there may be no folder for temporary files
            private = os.path.join(tempfile.gettempdir(), f"hotpath-{os.getuid()}")
            folders = (cache.USERS, private)
        if not cache.INSTALLED:
            folders = (os.path.join(HERE, "build"),) + folders
    for folder in filter(cache.is_ours, folders):
        for suffix in (".cubin", ".ptx"):
            binary = os.path.join(folder, name + suffix)
            if cache.is_sealed(binary):
                return binary
    content, suffix = compiler.compile(path, target, ptx)
    problem = "no folder for the compiled kernels"
    for folder in folders:
        try:
            return _write(os.path.join(folder, name + suffix), content)
        except OSError as error:  # read-only or full
            problem = f"cannot use {folder}: {error.strerror or error}"
    raise NoCompiler(problem)


def _write(path: str, content: bytes) -> str:
    """Write a file whole, with its hash."""
    cache.make(os.path.dirname(path))
    cache.seal(path, content)
    return path

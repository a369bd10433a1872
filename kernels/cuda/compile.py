"""Compiles a .cu file for a GPU, once: by NVRTC, CUDA's run-time compiler, or else by nvcc.

The result is cached under a name that holds a hash of the sources, the flags and the compiler's
version, and the GPU's architecture. NVRTC before 11.1 (Jetson Nano, TX2: 10.2) makes PTX alone,
which the driver of the same CUDA finishes; a driver never takes the PTX of a newer CUDA, so what is
compiled elsewhere does not run there.
"""

import ctypes
import errno
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

from kernels.cuda.errors import NoCompiler

HERE = os.path.dirname(os.path.abspath(__file__))
HEADERS = (os.path.join(HERE, "frame.h"), os.path.join(HERE, os.pardir, "hotpath.h"))
FLAGS = ("--fmad=false", "--std=c++14")  # what is rounded where stands in the sources
CUDA_HOMES = ("/usr/local/cuda", "/opt/cuda")
NVRTC_NAMES = ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so.10.2")
TIMEOUT_S = 300
FIRST_CUBIN = (11, 1)  # NVRTC


def source(name):
    """Path of one of the kernels' own .cu files, such as "crop"."""
    return os.path.join(HERE, name + ".cu")


def binary(path, capability, folders=None, compilers=None):
    """The compiled form of a .cu file, made now if it is not there.

    Args:
        path: the .cu file.
        capability: of the GPU, such as 87.
        folders: where the result may be put, the first that works is taken; default: ``build``
            beside this file, the user's cache, the temporary folder.
        compilers: those to try in turn; default: ``available()``.

    Returns:
        Path of a .cubin or .ptx.

    Raises:
        NoCompiler: none is there, all fail, or no folder can hold the result.
    """
    compilers = available() if compilers is None else compilers
    if not compilers:
        raise NoCompiler(
            "no CUDA compiler found (libnvrtc or nvcc); on a Jetson run `sudo apt install "
            "cuda-nvrtc-dev-*`, elsewhere `pip install nvidia-cuda-nvrtc-cu12`"
        )
    problems = []
    for compiler in compilers:
        name = "{}-sm{}-{}".format(
            os.path.splitext(os.path.basename(path))[0], capability, _key(path, compiler.version)
        )
        try:
            return _cached(name, path, capability, compiler, folders)
        except NoCompiler as error:
            problems.append(str(error))
    raise NoCompiler(problems[0])


def available():
    """The compilers of this computer, in the order in which they are tried."""
    found = list(_first_nvrtc())
    nvcc = shutil.which("nvcc") or shutil.which(
        "nvcc", path=os.pathsep.join(os.path.join(home, "bin") for home in CUDA_HOMES)
    )
    if nvcc:
        found.append(Nvcc(nvcc))
    return found


def _first_nvrtc():
    for name in _nvrtc_places():
        try:
            yield Nvrtc(name)
            return
        except OSError:
            continue


def _nvrtc_places():
    yield from NVRTC_NAMES
    for home in CUDA_HOMES:
        yield os.path.join(home, "lib64", "libnvrtc.so")
    for folder in sys.path:  # the wheel
        yield from glob.glob(os.path.join(folder, "nvidia", "c*", "lib", "libnvrtc.so.*"))


class Nvrtc:
    """CUDA's run-time compiler.

    Args:
        name: of the library, or its path.

    Raises:
        OSError: it can't be loaded.
    """

    def __init__(self, name):
        self.library = ctypes.CDLL(name)
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        self.number = (major.value, minor.value)
        self.version = "NVRTC {}.{}".format(*self.number)

    def compile(self, path, capability, ptx=False):
        """Compile a .cu file.

        Returns:
            (bytes, ".cubin" or ".ptx").

        Raises:
            NoCompiler: with the first error's line.
        """
        ptx = ptx or self.number < FIRST_CUBIN
        options = FLAGS + (
            "--gpu-architecture={}_{}".format("compute" if ptx else "sm", capability),
            "--include-path=" + HERE,
        )
        with open(path, "rb") as file:
            text = file.read()
        program = ctypes.c_void_p()
        name = os.path.basename(path).encode()
        self._check(
            self.library.nvrtcCreateProgram(ctypes.byref(program), text, name, 0, None, None)
        )
        try:
            given = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
            if self.library.nvrtcCompileProgram(program, len(options), given):
                log = self._get(program, "ProgramLog").decode("utf-8", "replace")
                raise NoCompiler("{} fails: {}".format(self.version, _first_error(log)))
            if ptx:
                return self._get(program, "PTX").rstrip(b"\0"), ".ptx"
            return self._get(program, "CUBIN"), ".cubin"
        finally:
            self.library.nvrtcDestroyProgram(ctypes.byref(program))

    def _get(self, program, what):
        size = ctypes.c_size_t()
        self._check(getattr(self.library, "nvrtcGet" + what + "Size")(program, ctypes.byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        self._check(getattr(self.library, "nvrtcGet" + what)(program, buffer))
        return buffer.raw

    def _check(self, result):
        if result:
            describe = self.library.nvrtcGetErrorString
            describe.restype = ctypes.c_char_p
            raise NoCompiler("{}: {}".format(self.version, describe(result).decode()))


class Nvcc:
    """The toolkit's compiler."""

    def __init__(self, path):
        self.path = path
        printed = _run([path, "--version"])[1]
        release = re.search(r"V([\d.]+)", printed)
        self.version = "nvcc {}".format(release.group(1) if release else printed.strip())

    def compile(self, path, capability):
        """As ``Nvrtc.compile``."""
        folder = tempfile.mkdtemp(prefix="hotpath-")
        try:
            out = os.path.join(folder, "out.cubin")
            flags = list(FLAGS) + ["-I", HERE, "-cubin", "-arch=sm_{}".format(capability)]
            code, printed = _run([self.path] + flags + ["-o", out, path])
            if code:
                raise NoCompiler("{} fails: {}".format(self.version, _first_error(printed)))
            with open(out, "rb") as file:
                return file.read(), ".cubin"
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _cached(name, path, capability, compiler, folders):
    """The file of that name in the first folder that can hold it."""
    if folders is None:
        cache = os.path.join(os.path.expanduser("~"), ".cache", "hotpath")
        private = os.path.join(tempfile.gettempdir(), "hotpath-{}".format(os.getuid()))
        folders = (os.path.join(HERE, "build"), cache, private)
    for folder in filter(_is_ours, folders):
        for suffix in (".cubin", ".ptx"):
            found = os.path.join(folder, name + suffix)
            if os.path.exists(found):
                return found
    content, suffix = compiler.compile(path, capability)
    problem = "no folder for the compiled kernels"
    for folder in folders:
        try:
            return _write(os.path.join(folder, name + suffix), content)
        except OSError as error:  # read-only or full
            problem = "cannot use {}: {}".format(folder, error.strerror or error)
    raise NoCompiler(problem)


def _is_ours(folder):
    """Whether nobody else could have put a file there: anybody may make a temporary folder."""
    try:
        return os.stat(folder).st_uid in (0, os.getuid(), os.stat(HERE).st_uid)
    except OSError:
        return False


def _write(path, content):
    """Write to a file of our own and rename it, so that nobody loads half of one."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    if not _is_ours(os.path.dirname(path)):
        raise PermissionError(errno.EPERM, "it is somebody else's")
    descriptor, partial = tempfile.mkstemp(suffix=".part", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
    return path


def _key(path, version):
    """Hash of everything that the compiled code depends on but the GPU."""
    key = hashlib.sha256(repr((version, FLAGS)).encode())
    for name in (path,) + HEADERS:
        with open(name, "rb") as file:
            key.update(file.read())
    return key.hexdigest()[:16]


def _run(command):
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            universal_newlines=True,
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise NoCompiler("{} took over {} s".format(command[0], TIMEOUT_S)) from None
    except OSError as error:
        raise NoCompiler("{} does not run: {}".format(command[0], error.strerror)) from None
    return done.returncode, done.stdout


def _first_error(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no message"])[0]

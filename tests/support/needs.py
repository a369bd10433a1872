"""What tests need of the machine. Without it a test is skipped.

Modules are asked for by ``pytest.importorskip``, and all else by these functions. Each reason names
the thing and the command that brings it.
"""

import importlib.util
import multiprocessing
import os
import shutil

import pytest

COMMANDS = {  # of modules that `make test` does not install
    "IPython": "make setup ALSO=examples",
    "hotpath_fpga": "make setup ALSO=fpga",
    "mavsdk": "pip install -e 'projects/vehicle[stations]'",
    "mypy": "make setup ALSO=lint",
    "ncnn": "make setup ALSO=ncnn",
    "onnxscript": "make setup ALSO=research",
    "onvif": "pip install -e 'projects/vehicle[stations]'",
    "pymavlink": "make setup ALSO=vehicle",
    "playwright": "make setup ALSO=browser",
    "pnnx": "make setup ALSO=ncnn",
    "pynq": "make fpga",
    "pyslang": "make fpga",
    "scipy": "make setup ALSO=examples",
    "supervision": "make setup ALSO=examples",
    "timm": "make setup ALSO=research",
    "torch": "make setup ALSO=research",
    "dask": "make setup ALSO=lab",
    "distributed": "make setup ALSO=lab",
    "optuna": "make setup ALSO=lab",
    "trax": "make setup ALSO=vot",
    "vot": "make setup ALSO=vot",
}
PACKAGES = {  # of programs, in Debian and Ubuntu
    "Xvfb": "xvfb",
    "gst-launch-1.0": "gstreamer1.0-tools",
    "mount": "mount",
    "qemu-x86_64": "qemu-user",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "unshare": "util-linux",
}
COMPILER = "C++ compiler", "apt install g++"
FAKES = "stand-ins of TensorRT and CUDA", "make fakes"
GSTREAMER = (
    "GStreamer with its RTSP server for the system's Python",
    "apt install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-ugly",
)
REASON = "no {}; run `{}`"


def lacks(thing, command):
    """The reason of a test that is skipped, for ``pytest.mark.skipif`` and ``skip``."""
    return REASON.format(thing, command)


def skip(thing, command):
    """Skip the test, or the whole file where it is called at its top."""
    __tracebackhide__ = True
    pytest.skip(lacks(thing, command), allow_module_level=True)


def command_of(module):
    """The command that installs a module."""
    return COMMANDS.get(module.split(".")[0], "make setup ALSO=dev")


def why_no_module(*modules):
    """The reason for the first module that is not installed, or "" (for ``skipif``)."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            return lacks(module, command_of(module))
    return ""


def why_no_program(*names):
    """The reason for programs that are not on the PATH, or "" (for ``skipif``)."""
    missing = [name for name in names if shutil.which(name) is None]
    packages = sorted({PACKAGES.get(name, name) for name in missing})
    return lacks(" and ".join(missing), "apt install " + " ".join(packages)) if missing else ""


def needs_program(*names):
    """Skip where one of the programs is not on the PATH."""
    __tracebackhide__ = True
    why = why_no_program(*names)
    if why:
        pytest.skip(why, allow_module_level=True)


def why_no_compiler():
    """The reason where there is no C++ compiler, or "" (for ``skipif``)."""
    from hotpath.kernels.cpu import build

    return "" if any(shutil.which(name) for name in build.COMPILERS) else lacks(*COMPILER)


def why_no_kernels():
    """The reason where the C++ kernels are not compiled for want of a compiler, or ""."""
    from hotpath.kernels import cpu

    return why_no_compiler() if cpu.load().name != "c++" else ""


def needs_compiler():
    """Skip where there is no C++ compiler."""
    __tracebackhide__ = True
    if why_no_compiler():
        pytest.skip(why_no_compiler(), allow_module_level=True)


def needs_kernels():
    """Skip where the C++ kernels are not compiled, since there is no compiler."""
    __tracebackhide__ = True
    if why_no_kernels():
        pytest.skip(why_no_kernels(), allow_module_level=True)


def needs_terminal():
    """Skip where the system gives no pseudo-terminal, as in a root without /dev/pts."""
    __tracebackhide__ = True
    try:
        for end in os.openpty():
            os.close(end)
    except OSError:
        skip("pseudo-terminals", "mount -t devpts devpts /dev/pts")


def needs_processes():
    """Skip where processes can't share a lock, as in a root whose /dev/shm is not writable."""
    __tracebackhide__ = True
    try:
        multiprocessing.Lock()
    except OSError:
        skip("memory that processes share", "mount -t tmpfs tmpfs /dev/shm")

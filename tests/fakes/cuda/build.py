"""Compiles the fake driver with the product's .cu files in it, once for each state of the sources.

The .cu files are not changed: each is compiled with ``shim.h`` before it, and the kernels found in
it are entered in a table by name.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
KERNELS = os.path.join(ROOT, "kernels", "cuda")
CACHE = os.path.join(ROOT, ".cache", "cuda")
FLAGS = ["-O2", "-std=c++14", "-fPIC", "-ffp-contract=off", "-Wno-unknown-pragmas"]
FLAGS += ["-fvisibility=hidden", "-w"]

KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\([\d, ]+\)\s+)?(\w+)\(')
DYNAMIC = re.compile(r"extern __shared__ (\w+) (\w+)\[\];")


def cu_files():
    """The product's kernels and those of the tests."""
    return sorted(glob.glob(os.path.join(KERNELS, "*.cu")) + glob.glob(os.path.join(HERE, "*.cu")))


def kernel_names(path):
    """Names of the kernels in a .cu file, in their order."""
    with open(path) as file:
        return KERNEL.findall(file.read())


def counting():
    """Path of ``shim.so`` with kernels that count what they do with doubles: see counted.h."""
    return os.path.join(_made("counting", ["-include", "counted.h"]), "shim.so")


def driver():
    """Path of a folder with the fake ``libcuda.so.1``, and of the same as a library without a name.

    Skips the test when there is no C++ compiler.
    """
    return _made("driver", [])


def _made(name, flags):
    """The folder of that name and of the sources' hash, made now if it is not there."""
    compiler = shutil.which("g++")
    if not compiler:
        pytest.skip("no g++ to compile the stand-in for a GPU")
    folder = os.path.join(CACHE, "{}-{}".format(name, _key(compiler)))
    if not os.path.isdir(folder):
        os.makedirs(CACHE, exist_ok=True)
        work = tempfile.mkdtemp(dir=CACHE)
        try:
            _compile(compiler, work, flags)
            os.rename(work, folder)
        except OSError:  # another process was first
            if not os.path.isdir(folder):
                raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return folder


def _compile(compiler, work, flags):
    """Compile all there is.

    Args:
        compiler: its path.
        work: folder for the results.
        flags: more flags for the .cu files.
    """
    objects = []
    for source in sorted(glob.glob(os.path.join(HERE, "*.cpp"))) + cu_files():
        base, more = os.path.basename(source), []
        if base.endswith(".cu"):
            source, more = _wrapped(source, os.path.join(work, base + ".cpp")), flags
        objects.append(os.path.join(work, base + ".o"))
        _run([compiler] + FLAGS + ["-I", HERE] + more + ["-c", source, "-o", objects[-1]])
    stubs = os.path.join(work, "stubs.cpp")
    with open(stubs, "w") as file:
        for name in missing_symbols():
            file.write(STUB.format(name))
    _run([compiler] + FLAGS + ["-c", stubs, "-o", stubs + ".o"])
    objects.append(stubs + ".o")
    # one that real libraries find by its name, and one that a test loads without their seeing it
    link = [compiler, "-shared", "-Wl,-Bsymbolic"]
    _run(link + ["-Wl,-soname,libcuda.so.1", "-o", os.path.join(work, "libcuda.so.1")] + objects)
    _run(link + ["-o", os.path.join(work, "shim.so")] + objects)
    for name in os.listdir(work):
        if ".so" not in name:
            os.unlink(os.path.join(work, name))


def match_compiler(driver_version):
    """Let this process's NVRTC claim to be as old as the driver, as on a board."""
    from kernels.cuda import compile as compiler

    newest, found = (driver_version // 1000, driver_version % 1000 // 10), compiler.available

    def available():
        for each in found():
            if each.number > newest:
                each.number, each.version = newest, "NVRTC {}.{}".format(*newest)
            yield each

    compiler.available = available


STUB = """
#include <stdio.h>
extern "C" __attribute__((visibility("default"))) int {0}() {{
  fprintf(stderr, "the fake driver has no {0}\\n");
  return 801;
}}
"""


def missing_symbols():
    """Functions of the driver that PyCUDA links to and the fake one has not; sorted."""
    there = set()
    for path in glob.glob(os.path.join(HERE, "driver*.cpp")):
        with open(path) as file:
            there.update(re.findall(r"^API (\w+)\(", file.read(), re.M))
    wanted = set()
    for path in glob.glob(os.path.join(CACHE, "site-*", "pycuda", "_driver*.so")):
        listed = _run(["nm", "-D", "--undefined-only", path])
        wanted.update(re.findall(r"\b(cu[A-Z]\w+)", listed))
    return sorted(wanted - there)


def _wrapped(source, path):
    """A C++ file that is the .cu file and the table of its kernels."""
    with open(source) as file:
        text = file.read()
    lines = ['#include "shim.h"', '#include "{}"'.format(source)]
    for kind, name in DYNAMIC.findall(text):
        lines.append("thread_local {} {}[(48 << 10) / sizeof({})];".format(kind, name, kind))
    for name in KERNEL.findall(text):
        lines.append('static shim::Registration {0}_kernel("{0}", {0});'.format(name))
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    return path


def _key(compiler):
    text = repr((FLAGS, _run([compiler, "--version"]), missing_symbols()))
    key = hashlib.sha256(text.encode())
    headers = glob.glob(os.path.join(HERE, "*.h")) + glob.glob(os.path.join(HERE, "*.cpp"))
    headers += glob.glob(os.path.join(KERNELS, "*.h"))
    headers += [os.path.join(ROOT, "kernels", "hotpath.h"), os.path.abspath(__file__)]
    for path in sorted(headers) + cu_files():
        with open(path, "rb") as file:
            key.update(file.read())
    return key.hexdigest()[:16]


def _run(command):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
    )
    if done.returncode:
        raise RuntimeError("{}\n{}".format(" ".join(command), done.stderr[-3000:]))
    return done.stdout

"""Compile the fake driver with the product's .cu files in it, once for each state of the sources.

Each .cu file is compiled unchanged, after ``shim.h``. A table maps the names of its kernels to the
functions.
"""

import functools
import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

from hotpath_nogpu import ROOT

HERE = os.path.dirname(os.path.abspath(__file__))
KERNELS = os.path.join(ROOT, "hotpath", "kernels", "cuda")
CACHE = os.path.join(ROOT, ".cache", "cuda")
FLAGS = ["-O2", "-std=c++14", "-fPIC", "-ffp-contract=off", "-Wno-unknown-pragmas"]
FLAGS += ["-fvisibility=hidden", "-w"]
FLAGS += ["-U_FORTIFY_SOURCE"]  # it takes a jump between the stacks of two threads for an error

KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\([\d, ]+\)\s+)?(\w+)\(')
DYNAMIC = re.compile(r"extern __shared__ (\w+) (\w+)\[\];")


def cu_files():
    """Paths of the .cu files of the product and of the tests."""
    return sorted(glob.glob(os.path.join(KERNELS, "*.cu")) + glob.glob(os.path.join(HERE, "*.cu")))


def kernel_names(path):
    """Names of the kernels in a .cu file, in order."""
    with open(path) as file:
        return KERNEL.findall(file.read())


def driver():
    """Path of a folder with the fake driver, as ``libcuda.so.1`` and as ``shim.so``.

    Skips the test when there is no C++ compiler.
    """
    compiler = shutil.which("g++")
    if not compiler:
        from tests.support.needs import needs_program  # not in processes that track on the driver

        needs_program("g++")
    folder = os.path.join(CACHE, f"driver-{_key(compiler)}")
    if not os.path.isdir(folder):
        os.makedirs(CACHE, exist_ok=True)
        work = tempfile.mkdtemp(dir=CACHE)
        try:
            _compile(compiler, work)
            os.rename(work, folder)
        except OSError:  # another process was first
            if not os.path.isdir(folder):
                raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return folder


def _compile(compiler, work):
    """Compile the fake driver and the kernels into the folder ``work``."""
    objects = []
    for source in sorted(glob.glob(os.path.join(HERE, "*.cpp"))) + cu_files():
        base = os.path.basename(source)
        if base.endswith(".cu"):
            source = _wrapped(source, os.path.join(work, base + ".cpp"))
        objects.append(os.path.join(work, base + ".o"))
        _run([compiler] + FLAGS + ["-I", HERE, "-c", source, "-o", objects[-1]])
    stubs = os.path.join(work, "stubs.cpp")
    with open(stubs, "w") as file:
        for name in missing_symbols():
            file.write(STUB.format(name))
    _run([compiler] + FLAGS + ["-c", stubs, "-o", stubs + ".o"])
    objects.append(stubs + ".o")
    # real libraries find the first one by its name; a test loads the second one unseen by them
    link = [compiler, "-shared", "-Wl,-Bsymbolic"]
    _run(link + ["-Wl,-soname,libcuda.so.1", "-o", os.path.join(work, "libcuda.so.1")] + objects)
    _run(link + ["-o", os.path.join(work, "shim.so")] + objects)
    for name in os.listdir(work):
        if ".so" not in name:
            os.unlink(os.path.join(work, name))


@functools.lru_cache(maxsize=None)
def match_compiler(driver_version):
    """Let this process's NVRTC claim to be as old as the driver, as on a board.

    Its PTX then says so too; test_compile.py checks that an assembler takes it.
    """
    from hotpath.kernels.cuda import compile as compiler

    newest, found = (driver_version // 1000, driver_version % 1000 // 10), compiler.available

    def available():
        for each in found():
            if each.number > newest:
                each.number, each.version = newest, "NVRTC {}.{}".format(*newest)
                each.compile = functools.partial(_compile_older, each.compile)
            yield each

    compiler.available = available


def _compile_older(compile, *arguments):
    """What NVRTC 10.2, the only one that makes PTX here, would give."""
    content, suffix = compile(*arguments)
    if suffix == ".ptx":
        content = re.sub(rb"\.version \d+\.\d+", b".version 6.5", content)
    return content, suffix


STUB = """
#include <stdio.h>
extern "C" __attribute__((visibility("default"))) int {0}() {{
  fprintf(stderr, "the fake driver has no {0}\\n");
  return 801;
}}
"""


def missing_symbols():
    """Sorted names of the driver functions that PyCUDA links to and the fake driver lacks."""
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
    """Write a C++ file that includes the .cu file and registers its kernels; return its path."""
    with open(source) as file:
        text = file.read()
    lines = ['#include "shim.h"', f'#include "{source}"']
    for kind, name in DYNAMIC.findall(text):
        lines.append(f"thread_local {kind} {name}[(48 << 10) / sizeof({kind})];")
    for name in KERNEL.findall(text):
        lines.append(f'static shim::Registration {name}_kernel("{name}", {name});')
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    return path


def _key(compiler):
    text = repr((FLAGS, _run([compiler, "--version"]), missing_symbols()))
    key = hashlib.sha256(text.encode())
    headers = glob.glob(os.path.join(HERE, "*.h")) + glob.glob(os.path.join(HERE, "*.cpp"))
    headers += glob.glob(os.path.join(KERNELS, "*.h"))
    headers += glob.glob(os.path.join(ROOT, "hotpath", "kernels", "*.h")) + [
        os.path.abspath(__file__)
    ]
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

"""The kernels compile for every Jetson, once, with a compiler that fits the driver."""

import locale
import os
import re
import shutil
import subprocess
import sys

import pytest

from kernels.cuda import compile as compiler
from kernels.errors import NoCompiler
from tests.fakes.cuda import build
from tests.fakes.cuda import nvrtc as tools

on_each_python = pytest.mark.pythons("NVRTC by ctypes")

NAMES = compiler.SOURCES
# Nano, TX2, Xavier, Orin, and one GPU of a data centre
CAPABILITIES = (53, 62, 72, 87, 90)
THOR = 110


@pytest.fixture(scope="module")
def nvrtc():
    return compiler.Nvrtc(tools.nvrtc())


def assemble(ptx, capability, folder):
    """Run ptxas; returns its exit status and what it printed."""
    source = os.path.join(folder, "kernel.ptx")
    with open(source, "w") as file:
        file.write(ptx)
    return run([tools.ptxas(), "-v", f"-arch=sm_{capability}", source, "-o", source + ".cubin"])


def run(command):
    """Exit status and output of a command."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    return done.returncode, done.stdout


def ptx_of(nvrtc, name, capability):
    """PTX without hints on the bytes that a load uses, which an older compiler never gives."""
    content, suffix = nvrtc.compile(compiler.source(name), capability, ptx=True)
    assert suffix == ".ptx"
    return re.sub(r'\.pragma "used_bytes_mask \w+";', "", content.decode())


@pytest.mark.slow("only `make compilers` gets CUDA 11.8")
def test_the_process_keeps_its_locale():
    """Else text files are read and written as ASCII from then on."""
    before = locale.nl_langinfo(locale.CODESET)
    compiler.Nvrtc(tools.nvrtc("-11.8")).compile(compiler.source("crop"), 72)
    assert locale.nl_langinfo(locale.CODESET) == before


@pytest.mark.parametrize("name", NAMES)
def test_the_nanos_code_needs_nothing_newer_than_cuda_10_2(nvrtc, tmp_path, name):
    ptx = re.sub(r"\.version \d+\.\d+", ".version 6.5", ptx_of(nvrtc, name, 53))
    assert ".version 6.5" in ptx and ".target sm_53" in ptx
    status, printed = assemble(ptx, 53, str(tmp_path))
    assert status == 0, printed


@on_each_python
def test_compiled_once_for_each_source_gpu_and_compiler(nvrtc, tmp_path):
    calls = []

    class Counting:
        version, number, architectures = nvrtc.version, nvrtc.number, nvrtc.architectures

        def compile(self, path, capability, ptx=False):
            calls.append(capability)
            return nvrtc.compile(path, capability, ptx)

    class Newer(Counting):
        version = "NVRTC 99.9"

    path = str(tmp_path / "one.cu")
    shutil.copy(compiler.source("crop"), path)
    folders = (str(tmp_path / "cache"),)

    def binary(kind, capability):
        return compiler.binary(path, capability, None, folders, [kind()])

    first = binary(Counting, 53)
    assert first == binary(Counting, 53) and calls == [53]
    assert binary(Counting, 87) != first and calls == [53, 87]
    assert binary(Newer, 53) != first and calls == [53, 87, 53]
    with open(path, "a") as file:
        file.write("\n// changed\n")
    assert binary(Counting, 53) != first and calls == [53, 87, 53, 53]
    assert not [name for name in os.listdir(folders[0]) if name.endswith(".part")]


def test_an_old_nvrtc_gives_ptx(nvrtc, tmp_path):
    old = compiler.Nvrtc(tools.nvrtc())
    old.number, old.version = (10, 2), "NVRTC 10.2"
    path = compiler.binary(compiler.source("crop"), 53, None, (str(tmp_path),), [old])
    assert path.endswith(".ptx")
    assert compiler.binary(compiler.source("crop"), 53, None, (str(tmp_path),), [old]) == path
    with open(path, "rb") as file:
        assert b".target sm_53" in file.read()


def test_a_folder_that_can_not_be_written_is_passed_over(nvrtc, tmp_path):
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    folders = (str(blocked), str(tmp_path / "good"))
    path = compiler.binary(compiler.source("crop"), 87, None, folders, [nvrtc])
    assert path.startswith(folders[1])
    with pytest.raises(NoCompiler, match="cannot use"):
        compiler.binary(compiler.source("crop"), 87, None, folders[:1], [nvrtc])


def test_a_folder_of_somebody_else_is_passed_over(nvrtc, tmp_path):
    if os.getuid():
        pytest.skip("only root can give a folder away")
    theirs = tmp_path / "theirs"
    path = compiler.binary(compiler.source("crop"), 87, None, (str(theirs),), [nvrtc])
    os.chown(str(theirs), 12345, 12345)
    with open(path, "wb") as file:
        file.write(b"\x7fELF of theirs")
    folders = (str(theirs), str(tmp_path / "ours"))
    path = compiler.binary(compiler.source("crop"), 87, None, folders, [nvrtc])
    assert path.startswith(folders[1])
    with pytest.raises(NoCompiler, match="belongs to another user"):
        compiler.binary(compiler.source("crop"), 87, None, folders[:1], [nvrtc])


@on_each_python
def test_a_mistake_in_the_source_is_named(nvrtc, tmp_path):
    path = str(tmp_path / "broken.cu")
    with open(path, "w") as file:
        file.write('extern "C" __global__ void broken() { nothing(); }\n')
    with pytest.raises(NoCompiler, match=r"broken\.cu\(1\): error.*nothing") as told:
        compiler.binary(path, 87, None, (str(tmp_path),), [nvrtc])
    assert str(told.value).isprintable()


def test_a_log_without_an_error_does_not_end_in_nvrtcs_own_nul(nvrtc, tmp_path, monkeypatch):
    logs = {"ProgramLog": b"it went wrong\0"}
    monkeypatch.setattr(nvrtc, "_get", lambda program, what: logs[what])
    path = tmp_path / "broken.cu"
    path.write_text("nothing();\n")
    with pytest.raises(NoCompiler, match="fails: it went wrong$") as told:
        nvrtc.compile(str(path), 87)
    assert str(told.value).isprintable()


class Pretended:
    """A fake compiler that records what it is asked for."""

    def __init__(self, number, architectures):
        self.number, self.architectures = number, architectures
        self.version = "NVRTC {}.{}".format(*number)
        self.asked = []

    def compile(self, path, capability, ptx=False):
        self.asked.append((capability, ptx))
        return b"compiled for %d" % capability, ".ptx" if ptx else ".cubin"


def binary(capability, driver_version, folder, *compilers):
    source = compiler.source("crop")
    return compiler.binary(source, capability, driver_version, (str(folder),), compilers)


def test_the_next_compiler_is_tried_if_one_does_not_know_the_gpu(nvrtc, tmp_path):
    knows = Pretended((13, 0), (90, 110))
    path = binary(THOR, 13000, tmp_path, nvrtc, knows)
    assert knows.asked == [(THOR, False)] and path.endswith(".cubin")


def test_a_compiler_newer_than_the_driver_is_not_used(tmp_path):
    new, old = Pretended((13, 0), (75, 87)), Pretended((12, 9), (75, 87))
    binary(87, 12020, tmp_path, new, old)
    assert (new.asked, old.asked) == ([], [(87, False)])
    with pytest.raises(
        NoCompiler,
        match="NVRTC 13.0 is newer than the NVIDIA driver, which "
        "supports CUDA 12.2; run `pip install nvidia-cuda-nvrtc-cu12`",
    ):
        binary(87, 12020, tmp_path / "other", new)
    with pytest.raises(NoCompiler, match="sudo apt install cuda-nvrtc-dev-10-2"):
        binary(53, 10020, tmp_path / "other", old)


def test_a_gpu_that_no_compiler_knows_gets_ptx_of_the_newest_one_before_it(tmp_path):
    knows = Pretended((12, 6), (53, 87, 90, 120))
    path = binary(110, 13000, tmp_path, knows)
    assert knows.asked == [(90, True)] and path.endswith(".ptx") and "sm110-ptx90" in path
    assert binary(110, 13000, tmp_path, knows) == path and len(knows.asked) == 1
    with pytest.raises(NoCompiler, match="does not know a GPU of compute capability 5.0"):
        binary(50, 13000, tmp_path, Pretended((13, 0), (75, 80)))
    with pytest.raises(NoCompiler, match="is newer than the NVIDIA driver"):  # PTX, same major
        binary(110, 12020, tmp_path / "other", knows)


def test_nvrtc_says_which_gpus_it_knows(nvrtc):
    assert THOR not in nvrtc.architectures
    assert set(CAPABILITIES) <= set(nvrtc.architectures)


def test_no_compiler_is_a_sentence():
    with pytest.raises(NoCompiler, match="no CUDA compiler found .*sudo apt install"):
        compiler.binary(compiler.source("crop"), 87, None, (), [])


def test_the_wheels_nvrtc_is_found(nvrtc):
    code = "from kernels.cuda import compile; print([c.version for c in compile.available()])"
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join((tools.TOOLS, build.ROOT)))
    printed = subprocess.check_output([sys.executable, "-c", code], env=environment, cwd=build.ROOT)
    assert b"NVRTC" in printed

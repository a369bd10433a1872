"""The kernels compile for every Jetson, once, with a compiler that fits the driver."""

import locale
import os
import re
import shutil

import pytest

from hotpath.base.errors import NoCompiler
from hotpath.kernels.cuda import compile as compiler
from hotpath_nogpu.cuda import nvrtc as tools

on_each_python = pytest.mark.pythons("NVRTC by ctypes")

CROP = compiler.source("crop")
THOR = 110


@pytest.fixture(scope="module")
def nvrtc():
    return compiler.Nvrtc(tools.nvrtc())


@pytest.mark.slow("only `make compilers` gets CUDA 11.8")
def test_the_process_keeps_its_locale():
    """Else text files are read and written as ASCII from then on."""
    before = locale.nl_langinfo(locale.CODESET)
    compiler.Nvrtc(tools.nvrtc("-11.8")).compile(CROP, 72)
    assert locale.nl_langinfo(locale.CODESET) == before


@pytest.mark.parametrize("name", compiler.SOURCES)
def test_the_nanos_code_needs_nothing_newer_than_cuda_10_2(name):
    ptx = re.sub(r"\.version \d+\.\d+", ".version 6.5", tools.ptx("", name, 53))
    # hints on the bytes that a load uses, which an older compiler never gives
    ptx = re.sub(r'\.pragma "used_bytes_mask \w+";', "", ptx)
    assert ".version 6.5" in ptx and ".target sm_53" in ptx
    tools.assemble(ptx, 53)


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
    shutil.copy(CROP, path)
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
    path = compiler.binary(CROP, 53, None, (str(tmp_path),), [old])
    assert path.endswith(".ptx")
    assert compiler.binary(CROP, 53, None, (str(tmp_path),), [old]) == path
    with open(path, "rb") as file:
        assert b".target sm_53" in file.read()


@pytest.mark.parametrize(
    "kind, why", [("a file", "cannot use"), ("theirs", "belongs to another user")]
)
def test_a_folder_that_is_not_to_be_used_is_passed_over(nvrtc, tmp_path, kind, why):
    first, ours = tmp_path / "first", tmp_path / "ours"
    if kind == "a file":
        first.write_text("")
    elif os.getuid():
        pytest.skip("only root can give a folder away")
    else:
        with open(compiler.binary(CROP, 87, None, (str(first),), [nvrtc]), "wb") as file:
            file.write(b"\x7fELF of theirs")
        os.chown(str(first), 12345, 12345)
    path = compiler.binary(CROP, 87, None, (str(first), str(ours)), [nvrtc])
    assert path.startswith(str(ours))
    with pytest.raises(NoCompiler, match=why):
        compiler.binary(CROP, 87, None, (str(first),), [nvrtc])


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
    return compiler.binary(CROP, capability, driver_version, (str(folder),), compilers)


def test_the_next_compiler_is_tried_if_one_does_not_know_the_gpu(nvrtc, tmp_path):
    knows = Pretended((13, 0), (90, 110))
    path = binary(THOR, 13000, tmp_path, nvrtc, knows)
    assert knows.asked == [(THOR, False)] and path.endswith(".cubin")


def test_a_compiler_newer_than_the_driver_is_not_used(tmp_path):
    new, old = Pretended((13, 0), (75, 87)), Pretended((12, 9), (75, 87))
    binary(87, 12020, tmp_path, new, old)
    assert (new.asked, old.asked) == ([], [(87, False)])
    messages = "NVRTC 13.0 is newer than the NVIDIA driver, which supports CUDA 12.2; "
    with pytest.raises(NoCompiler, match=messages + "run `pip install nvidia-cuda-nvrtc-cu12`"):
        binary(87, 12020, tmp_path / "other", new)
    with pytest.raises(NoCompiler, match="sudo apt install cuda-nvrtc-dev-10-2"):
        binary(53, 10020, tmp_path / "other", old)


def test_a_gpu_newer_than_the_compiler_gets_its_newest_ptx(tmp_path):
    knows = Pretended((12, 6), (53, 87, 90, 120))
    path = binary(110, 13000, tmp_path, knows)
    assert knows.asked == [(90, True)] and path.endswith(".ptx") and "sm110-ptx90" in path
    assert binary(110, 13000, tmp_path, knows) == path and len(knows.asked) == 1
    with pytest.raises(NoCompiler, match="capability 5.0"):
        binary(50, 13000, tmp_path, Pretended((13, 0), (75, 80)))
    with pytest.raises(NoCompiler, match="newer .* driver"):  # PTX, same major
        binary(110, 12020, tmp_path / "other", knows)


def test_no_compiler_is_a_sentence():
    with pytest.raises(NoCompiler, match="CUDA compiler .*sudo apt install"):
        compiler.binary(CROP, 87, None, (), [])

"""INT8 gives the same maps where the processor's 8-bit products saturate, and one place says so.

Such processors are a limit of OpenVINO's instructions, and a model of QEMU.
"""

import subprocess
import sys

import numpy as np
import pytest

from hotpath.runtime import NoEngine, engines
from hotpath.runtime.engines.shared import arithmetic
from hotpath.runtime.networks import load_network
from tests.support import ROOT
from tests.support.errors import refusal
from tests.support.needs import needs_program

INT8 = ROOT / "hotpath/runtime/networks/int8/kestrel_small-int8.toml"


@pytest.mark.parametrize(
    "machine, cpuinfo, limit, found, saturates",
    [
        ("x86_64", "flags : avx2 avx512_vnni", None, {"avx512_vnni"}, False),
        ("x86_64", "flags : avx2 avx512f", None, set(), True),
        ("x86_64", "flags : avx2 avx512_vnni", "avx512_core", set(), True),
        ("x86_64", "flags : avx2 avx512_vnni", "AVX512_CORE_VNNI", {"avx512_vnni"}, False),
        ("x86_64", None, None, set(), True),  # such as macOS
        ("aarch64", "Features : asimd asimddp", None, {"asimddp"}, False),
        ("aarch64", "Features : asimd", None, set(), False),
        ("armv6l", "Features : half", None, set(), False),
        ("riscv64", "isa : rv64imafdc", None, set(), False),
    ],
)
def test_what_a_processor_can_do(tmp_path, monkeypatch, machine, cpuinfo, limit, found, saturates):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(arithmetic, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.delenv(arithmetic.LIMIT, raising=False)
    if limit is not None:
        monkeypatch.setenv(arithmetic.LIMIT, limit)
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert arithmetic.instructions() == found and arithmetic.saturates() == saturates


def maps(engine, path):
    """Write the maps of one frame of a picture of noise to a file of NumPy."""
    network = load_network(INT8)
    running = engines.create(engine, network, network.locate())
    rng = np.random.RandomState(3)
    running.exemplar_crop[...] = rng.randint(0, 256, running.exemplar_crop.shape)
    features = running.exemplar()
    running.search_crop[...] = rng.randint(0, 256, running.search_crop.shape)
    np.savez(path, *running.search(features))
    running.close()


@pytest.mark.parametrize(
    "engine, processor",
    [
        ("openvino", ""),
        pytest.param("onnxruntime", "Haswell", marks=pytest.mark.slow("QEMU takes 15 s")),
    ],
)
def test_int8_is_the_same_without_vnni(tmp_path, engine, processor):
    pytest.importorskip("onnxruntime")
    pytest.importorskip(engine)
    maps("onnxruntime", tmp_path / "here.npz")
    program = f"from {__name__} import maps; maps({engine!r}, {str(tmp_path / 'there.npz')!r})"
    words = [sys.executable, "-c", program]
    if processor:
        needs_program("qemu-x86_64")
        words = ["qemu-x86_64", "-cpu", processor, *words]
    limit = {arithmetic.LIMIT: "AVX2", "PYTHONPATH": ":".join(filter(None, sys.path))}
    subprocess.run(words, cwd=str(ROOT), env=limit, check=True)
    here, there = np.load(tmp_path / "here.npz"), np.load(tmp_path / "there.npz")
    for name in here.files:
        step = 1e-4 * np.abs(here[name]).max()  # saturation changes them by a tenth
        np.testing.assert_allclose(there[name], here[name], rtol=0, atol=step)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_version_that_can_only_saturate_is_refused(monkeypatch, engine):
    pytest.importorskip(engine)
    monkeypatch.setattr(engines.find(engine), "version", "1.12.1")
    monkeypatch.setenv(arithmetic.LIMIT, "AVX2")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    network = load_network(INT8)
    with refusal(NoEngine, "saturates"):
        engines.create(engine, network, network.locate())

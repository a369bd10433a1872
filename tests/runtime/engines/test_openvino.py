"""OpenVINO does not use the processor's matrix unit, which a camera's frame finds switched off."""

import os
import subprocess
import sys

import pytest

from hotpath.runtime.engines import openvino
from hotpath.runtime.engines.shared import arithmetic
from tests.conftest import ROOT
from tests.support import run, tiny

INT8 = str(ROOT / "hotpath" / "runtime" / "networks" / "int8" / "kestrel-int8.toml")
PRIMITIVES = """
import sys
from hotpath.runtime import engines
from hotpath.runtime.networks import load_network

exec(sys.argv[2])
network = load_network(sys.argv[1])
engine = engines.create("openvino", network, network.locate())
for step in engine._bound.compiled.get_runtime_model().get_ordered_ops():
    kind = step.get_rt_info()["primitiveType"]
    print(kind.astype(str) if hasattr(kind, "astype") else getattr(kind, "value", kind))
"""
# other users of OpenVINO, which may be its first ones in a process
DETECTOR = """
import pathlib
from tests.support import tiny_detector

sys.modules["onnxruntime"] = None  # as where it is not installed
from hotpath.app.detect.session import open_session

inputs, run = open_session(tiny_detector.write_detector(pathlib.Path({!r})).with_suffix(".onnx"), 1)
"""


# A run, and what it asks of the network and of its user's folder; fork's children write there too.
WATCHED = """
import os, sys

def watch(event, details):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        os.write(2, "asked: {} {}\\n".format(event, details).encode())

sys.addaudithook(watch)
from hotpath.runtime import engines
from hotpath.runtime.networks import load_network

network = load_network(sys.argv[1])
engine = engines.create("openvino", network, network.locate())
engine.search(engine.exemplar())
"""


@pytest.mark.skipif(sys.version_info < (3, 8), reason="Python has no audit hooks")
def test_openvino_tells_nobody_that_it_runs(tmp_path):
    pytest.importorskip("openvino")
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "TF_BUILD")}
    words = [sys.executable, "-c", WATCHED, INT8]
    done = run(words, cwd=str(ROOT), env=dict(environment, HOME=str(tmp_path)), check=True)
    assert "asked" not in done.stderr
    assert not (tmp_path / "intel").exists()


@pytest.mark.parametrize("first", ["", DETECTOR])
def test_kestrel_runs_without_the_matrix_unit(tmp_path, first):
    version = getattr(pytest.importorskip("openvino"), "__version__", "0")
    if int(version.split(".")[0]) < 2024:
        pytest.skip("an older OpenVINO crashes on what is asked here")
    if "amx_int8" not in arithmetic.flags():
        pytest.skip("this processor has no AMX")
    found = {}
    for limit in (None, "DEFAULT"):  # the user's own limit holds
        environment = {k: v for k, v in os.environ.items() if k != openvino.LIMIT}
        if limit:
            environment[openvino.LIMIT] = limit
        command = [sys.executable, "-c", PRIMITIVES, INT8, first.format(str(tmp_path))]
        found[limit] = subprocess.check_output(command, cwd=str(ROOT), env=environment).decode()
    if "amx" not in found["DEFAULT"]:
        pytest.skip("this OpenVINO does not use AMX")
    assert "avx512" in found[None] and "amx" not in found[None]


@pytest.mark.parametrize(
    ("flags", "users", "inside"),
    [
        ("fpu amx_tile amx_int8", None, openvino.MOST_WITHOUT_AMX),
        ("fpu amx_tile amx_int8", "AVX2", "AVX2"),
        ("fpu avx2 avx_vnni", None, None),
        (None, None, None),  # not Linux
    ],
)
def test_the_limit_is_there_only_while_openvino_looks(tmp_path, monkeypatch, flags, users, inside):
    monkeypatch.delenv(openvino.LIMIT, raising=False)
    if users:
        monkeypatch.setenv(openvino.LIMIT, users)
    if flags:
        (tmp_path / "cpuinfo").write_text("flags: " + flags)
    monkeypatch.setattr(arithmetic, "CPUINFO", tmp_path / "cpuinfo")
    with openvino.without_amx():
        assert os.environ.get(openvino.LIMIT) == inside
    assert os.environ.get(openvino.LIMIT) == users


TOGETHER = """
import sys, threading
from hotpath.runtime import load_targets, load_tracker

failed = []


def load(function):
    try:
        function(network=sys.argv[1], engine="openvino").close()
    except BaseException as error:
        failed.append(repr(error))


sys.setswitchinterval(1e-4)
threads = [
    threading.Thread(target=load, args=(one,)) for one in (load_tracker, load_targets) * 3
]
for each in threads:
    each.start()
for each in threads:
    each.join()
print(failed)
"""


def test_threads_that_load_at_once_all_get_a_tracker(tmp_path):
    pytest.importorskip("openvino")
    words = [sys.executable, "-c", TOGETHER, str(tiny.write_network(tmp_path))]
    done = run(words, cwd=str(ROOT))
    assert done.stdout.strip() == "[]", done.stdout + done.stderr

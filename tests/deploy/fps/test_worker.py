"""The process that times a checkout, and the network alone, by which a frame is measured."""

import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest

from hotpath.deploy.errors import WorkerFailed
from hotpath.deploy.film import film
from hotpath.deploy.fps import cases, checkout, measure, worker
from tests.support import tiny
from tests.support.errors import refusal


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A tiny network's result, and what its workers are asked for."""
    folder = tmp_path_factory.mktemp("tiny")
    frames, boxes = film(25)
    np.save(str(folder / "frames.npy"), np.stack(frames))
    case = cases.SpeedCase(str(tiny.write_network(folder)), "fp32", "auto")
    return cases.open_case(case, str(folder / "frames.npy"), boxes[0, 0])


@pytest.mark.parametrize("engine", sorted(worker.OPENERS))
def test_the_network_alone_runs_by_its_library(engine, opened):
    pytest.importorskip(engine)
    code = (
        "import json, sys; sys.path.insert(0, {!r}); import worker; "
        "ms = worker.open_alone({!r}, {!r}, 1)(); "
        "print(json.dumps([ms, [name for name in sys.modules if name.split('.')[0] == 'hotpath']]))"
    ).format(checkout.CHECKOUT + "/hotpath/deploy/fps", engine, opened[1]["alone"])
    printed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    times, ours = json.loads(printed.stdout)
    assert len(times) == worker.ALONE_RUNS - 1 and min(times) > 0 and ours == []


def test_other_engines_have_no_network_alone(tmp_path):
    assert worker.open_alone("tensorrt", str(tmp_path / "x.onnx"), 1)() == []
    assert worker.open_alone("openvino", str(tmp_path / "missing.onnx"), 1)() == []
    assert worker.open_alone("openvino", None, 1)() == []


def test_a_worker_times_frames_and_the_network_alone(opened):
    with contextlib.closing(measure.Worker(checkout.CHECKOUT, opened[1])) as process:
        process.wait_ready()
        for _ in range(2):
            process.block(3)
    for answer in process.answers:
        assert {"crop", "network", "select"} <= set(answer["ms"]) and answer["cpu_s"] > 0
        assert len(answer["ms"]["total"]) == len(answer["boxes"]) == 3
        assert len(answer["ms"]["alone"]) == worker.ALONE_RUNS - 1


def test_a_refusal_of_the_timed_code_is_its_own_sentence(opened):
    request = dict(opened[1], load=dict(opened[1]["load"], precision="fp16"))
    with contextlib.closing(measure.Worker(checkout.CHECKOUT, request)) as process:
        with refusal(WorkerFailed, "not timed") as caught:
            process.wait_ready()
    told = str(caught.value)
    assert "timed: no engine of a processor runs 'fp16'; take one of" in told
    assert told.endswith("or a bundle")


def test_a_checkout_that_can_not_run_is_named(tmp_path):
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "__init__.py").write_text("raise RuntimeError('half a commit')\n")
    with contextlib.closing(measure.Worker(str(tmp_path), {"threads": 1})) as process:
        with refusal(WorkerFailed, "not timed"):
            process.wait_ready()

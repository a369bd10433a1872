"""The network alone, by which the FPS suite measures a frame."""

import json
import subprocess
import sys

import numpy as np
import pytest

from hotpath.deploy.fps import alone, place, run, workers
from tests.deploy.fps.test_run import film, network  # noqa: F401  (fixtures)
from tests.support import tiny


@pytest.mark.parametrize("engine", sorted(alone.OPENERS))
def test_the_network_alone_runs_by_the_library_alone(engine, tmp_path):
    pytest.importorskip(engine)
    path = str(tiny.write_network(tmp_path))
    settings = run.Settings(networks=[path])
    file = run.file_of_a_frame(run.load_network(path), settings)
    code = (
        "import json, sys; sys.path.insert(0, {!r}); import alone; "
        "ms = alone.Alone({!r}, {!r}, 1).ms(); "
        "print(json.dumps([ms, [name for name in sys.modules if name.split('.')[0] == 'hotpath']]))"
    ).format(str(place.CHECKOUT) + "/deploy/fps", engine, file)
    printed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    times, ours = json.loads(printed.stdout)
    assert len(times) == alone.RUNS - 1 and min(times) > 0 and ours == []


def test_other_engines_and_bundles_have_no_network_alone(tmp_path):
    assert alone.Alone("tensorrt", str(tmp_path / "x.onnx"), 1).ms() == []
    assert alone.Alone("openvino", None, 1).ms() == []


def test_a_round_times_it_after_each_block(network, film, tmp_path):  # noqa: F811
    np.save(str(tmp_path / "frames.npy"), np.stack(film.frames))
    settings = run.Settings(networks=[network], clips=[film])
    (case,) = settings.cases()
    _, asked = run.open_case(case, settings, film, str(tmp_path / "frames.npy"))
    worker, timed = workers.Worker(place.CHECKOUT, asked), workers.Timed()
    try:
        worker.wait_ready()
        for _ in range(2):
            timed.add(worker.block(3))
    finally:
        worker.close()
    assert len(timed.ms["total"]) == 6 and len(timed.ms["alone"]) == 2 * (alone.RUNS - 1)

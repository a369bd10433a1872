"""Several targets: what their trackers say is passed on, and the time of their steps is summed."""

import pytest

pytest.importorskip("onnxruntime")

from runtime import load_targets
from runtime.targets import targets as module
from runtime.targets.pipeline import Pipeline, Taken
from tests.support import tiny


@pytest.fixture
def toml(tmp_path):
    return tiny.write_network(tmp_path)


def test_what_a_tracker_says_is_passed_on_once(toml, monkeypatch):
    create = module.create_tracker

    def talking(network, engine, kernels, options):
        if options.log is not None:
            options.log("crop and select run on the processor")
        return create(network, engine, kernels, options)

    monkeypatch.setattr(module, "create_tracker", talking)
    said = []
    pictures, boxes = tiny.film(2)
    targets = load_targets(toml, engine="onnxruntime", log=said.append)
    for _ in range(3):
        targets.add(pictures[0], boxes[0])
    assert said == ["crop and select run on the processor"]
    targets.close()


def test_steps_are_summed_for_frames_in_flight_too(toml):
    """The pipeline collects from trackers that do their frames elsewhere; each says its times."""

    class Tracked:
        pipeline = 2

        def __init__(self):
            self.trackers = {}
            self.summed = 0

        def sum_steps(self):
            self.summed += 1

    targets, reported = Tracked(), []
    pipeline = Pipeline(targets, lambda taken, tracks, ms: reported.append(targets.summed))
    for index in range(3):
        pipeline.take(Taken(None, index, None, 0.0, 0.0))
    pipeline.empty()
    assert reported == [1, 2, 3]

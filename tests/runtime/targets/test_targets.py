"""Several targets: what their trackers say is passed on."""

import pytest

pytest.importorskip("onnxruntime")

from runtime import load_targets
from runtime.targets import targets as module
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

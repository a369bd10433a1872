"""The cues of a box: score, looks, colours and size."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.runtime.identity.cues import Cues

FRAME = np.zeros((40, 60, 3), np.uint8)


def test_a_box_whose_colours_may_convince_is_looked_at():
    cues = Cues(None, lambda frame, state: np.full(4, 0.25))
    cues.begin(None, np.zeros(4), None)
    found = cues.best_box(None, np.zeros((1, 4)), [0.5], np.array([0.5]), 0.6)
    assert found == (0, pytest.approx(2 / 3))


def test_looks_and_colours_are_those_of_the_box_that_was_judged():
    asked = []
    negatives = SimpleNamespace(chances=lambda *given: asked.append(given) or (0.1, 0.2))
    classifier = SimpleNamespace(negatives=negatives, ridge="ridge")
    pictures = [np.array(p) for p in ([1.0, 0.0], [0.64, 0.36], [0.0, 1.0])]
    cues = Cues(classifier, lambda frame, state: pictures.pop(0))
    cues.begin(None, np.zeros(4), None)
    cues.value(FRAME, np.zeros(4), None, 0.9, 0.5)
    cues.best_box(None, np.zeros((1, 4)), [0.9], np.array([0.9]), 0.1)  # looked at, not judged
    assert (cues.appearance, cues.alike) == (0.5, pytest.approx(0.8))
    assert cues.chances() == (0.1, 0.2)
    ((references, ridge),) = asked
    assert references[0].tolist() == [1.0, 0.0] and ridge == "ridge"

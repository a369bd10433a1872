"""Features under a box, samples by overlap, and what is learnt of a target."""

from types import SimpleNamespace

import numpy as np

from hotpath.runtime.identity.learner.classifier import LEAST_PART, PARTS, SAMPLES, Classifier
from hotpath.runtime.identity.learner.numpy_definition import Pooling, Samples, overlap_with
from hotpath.runtime.types import WindowResult

SIDE, STRIDE = 16, 16
TARGET = np.array([0.0, 0.0, 64.0, 48.0])
NUMBERS = SimpleNamespace(negatives=None, stride=STRIDE, search=255)


def region(places, seed=0):
    """Features with a pattern at each place: cell (column, row) -> channel that is high there."""
    values = np.random.RandomState(seed).normal(0, 0.2, (8, SIDE, SIDE)).astype(np.float32)
    for (column, row), channel in places.items():
        values[channel, row - 1 : row + 2, column - 2 : column + 3] += 2.0
    return values.reshape(1, 8, -1)


def seen(features, boxes=None):
    return WindowResult(np.zeros(4), (1.0, 1.0), features, states=boxes)


def at(column, row):
    return np.array([(column - 8) * STRIDE, (row - 8) * STRIDE, *TARGET[2:]], float)


def test_parts_of_a_box_are_averaged_by_the_share_of_each_cell():
    features = np.zeros((1, 1, SIDE * SIDE), np.float32)
    features.reshape(SIDE, SIDE)[8, 8] = 1.0
    boxes = np.array([(0, 0, 16, 16), (8, 0, 16, 16), (0, 0, 32, 16), (0, 0, 16, 48)], float)
    # the length is lost where only one number describes a box: compare with a second channel
    both = np.concatenate([features, np.ones_like(features)], axis=1)
    pooling = Pooling(np.zeros(2, np.float32), SIDE, STRIDE, 1, LEAST_PART)
    described = pooling.describe(both, boxes, (0, 0), (1, 1))
    assert np.allclose(described[:, 0] / described[:, 1], [1.0, 0.5, 0.5, 1 / 3], atol=1e-5)
    assert (described[:, -1] == 1).all()


def test_boxes_outside_of_the_region_take_its_edge():
    features = region({})
    pooling = Pooling(features[0].mean(axis=1), SIDE, STRIDE, PARTS, LEAST_PART)
    outside = np.array([(1e4, 0, 30, 30), (0, -1e4, 30, 30)], float)
    described = pooling.describe(features, outside, (0, 0), (1, 1))
    assert np.isfinite(described).all()


def test_samples_keep_the_rules_on_overlap():
    samples = Samples(*SAMPLES)
    positives = samples.positives(TARGET)
    assert len(positives) >= 9
    assert overlap_with(positives, TARGET).min() >= 0.7
    around = samples.around(TARGET, np.zeros(2), np.array([127.0, 127.0]))
    negatives = samples.negatives(around, TARGET)
    assert 0 < len(negatives) < len(around)
    assert overlap_with(negatives, TARGET).max() <= 0.5
    beside = TARGET + np.array([[10.0, 0, 0, 0], [30.0, 0, 0, 0]])  # overlaps of .73 and .36
    assert samples.negatives(beside, TARGET).tolist() == beside[1:].tolist()


def test_a_look_alike_is_told_from_a_learnt_target():
    first = region({(8, 8): 0})
    one = Classifier(NUMBERS)
    one.begin(TARGET, seen(first))
    # a look-alike: half of the target's pattern, and one of its own
    now = region({(8, 8): 0, (13, 8): 0}, 1)
    now.reshape(8, SIDE, SIDE)[1, 7:10, 11:16] += 1.0
    boxes = np.array([TARGET, at(13, 8), at(3, 3)])
    before = one.appearance(seen(now, boxes))
    assert before[0] > 0.5 and before[2] < 0
    for _ in range(30):
        one.learn(TARGET, seen(now), True)
    after = one.appearance(seen(now, boxes))
    assert after[0] - after[1] > before[0] - before[1]
    assert after[0] > 0.5


def test_nothing_is_learnt_from_a_frame_that_is_not_tracked():
    one = Classifier(NUMBERS)
    one.begin(TARGET, seen(region({(8, 8): 0})))
    now = seen(region({(8, 8): 3}, 1), TARGET[None])
    before = one.appearance(now)
    for _ in range(9):
        one.learn(TARGET, now, False)
    assert one.appearance(now) == before

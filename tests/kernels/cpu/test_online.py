"""The compiled online classifier describes, learns and judges as its definition."""

import numpy as np
import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from hotpath.kernels.cpu import online
from hotpath.runtime.identity.learner import numpy_definition as definition
from hotpath.runtime.identity.learner.classifier import LEAST_PART, SAMPLES, Classifier
from hotpath.runtime.identity.learner.ridge import RIDGE, TINY, Ridge
from hotpath.runtime.types import WindowResult
from tests.support.examples import examples

NO_SHRINKING = (Phase.explicit, Phase.generate)  # a smaller case tells no more
SHAPES = st.tuples(
    st.integers(3, 20), st.sampled_from([1, 3, 15, 16, 17, 48, 64]), st.integers(1, 3)
)


def features_of(random, channels, side):
    return random.randn(1, channels, side * side).astype(np.float32)


def boxes_of(random, count, reach):
    """Boxes in and around a region, some of them tiny or huge."""
    centres = random.uniform(-1.2 * reach, 1.2 * reach, (count, 2))
    return np.concatenate([centres, np.exp(random.uniform(-1, 7, (count, 2)))], axis=1)


def regression_of(kernels, size, ridge=RIDGE, tiny=TINY):
    return kernels.new(online.CompiledRegression, size, ridge, tiny)


@examples(60, phases=NO_SHRINKING)
@given(st.integers(0, 10**6), SHAPES, st.sampled_from([1, 8, 16]), st.integers(1, 40))
def test_boxes_are_described_as_by_the_definition(kernels, seed, shape, stride, count):
    side, channels, parts = shape
    random = np.random.RandomState(seed)
    first, now = (features_of(random, channels, side) for _ in range(2))
    boxes = boxes_of(random, count, side * stride / 2)
    centre, scale = random.uniform(-50, 50, 4), tuple(random.uniform(0.2, 3, 2))
    boxes[:, :2] += centre[:2]
    form = first[0].mean(axis=1), side, stride, parts, LEAST_PART
    models = definition.Pooling(*form), kernels.new(online.CompiledPooling, *form)
    described = [model.describe(now, boxes, centre, scale) for model in models]
    assert described[1].shape == (count, models[0].size) and models[0].size == models[1].size
    if channels > 1:  # a single number that is nearly the mean has no direction
        np.testing.assert_allclose(described[1], described[0], rtol=0, atol=1e-5)


@examples(30, phases=NO_SHRINKING)
@given(st.integers(0, 10**6), st.sampled_from([2, 16, 17, 100, 128, 129, 193]), st.integers(1, 70))
def test_what_was_learnt_judges_as_by_the_definition(kernels, seed, size, count):
    random = np.random.RandomState(seed)
    numbers = size, RIDGE, TINY
    models = Ridge(definition.Regression(*numbers)), Ridge(regression_of(kernels, *numbers))

    def some(towards, count):
        values = random.normal(0, 0.1, (count, size)).astype(np.float32)
        values[:, towards % size] += 1.0
        values /= np.sqrt((values**2).sum(axis=1, keepdims=True))
        values[:, -1] = 1.0
        return values

    first = some(0, 1 + count // 3), some(1, count)
    for model in models:
        model.begin(*first)
    for frame in range(6):
        taken = some(0, 11), some(frame, count), np.exp(random.uniform(-2, 2, count))
        for model in models:
            model.learn(*taken)
            while model.busy:
                model.step()
        result = some(2, 5)
        np.testing.assert_allclose(
            models[1].predict(result), models[0].predict(result), rtol=0, atol=3e-3
        )


def test_a_thousand_frames_do_not_drift_from_the_definition(kernels):
    """Matrices in float32 keep what the definition keeps in float64."""
    random = np.random.RandomState(5)

    class Numbers:
        stride, search, negatives = 16, 255, None

    one, other = Classifier(Numbers), Classifier(Numbers, kernels)
    base = features_of(random, 16, 16)
    state = np.array([200.0, 150.0, 60.0, 50.0])
    for classifier in (one, other):
        classifier.begin(state, WindowResult(state, (0.9, 0.9), base))
    apart = 0.0
    for _ in range(1000):
        base += 0.05 * features_of(random, 16, 16)
        base *= 0.999
        result = WindowResult(
            state + random.uniform(-9, 9, 4) * (1, 1, 0, 0), (0.9, 0.9), base.copy()
        )
        judged = []
        for classifier in (one, other):
            classifier.learn(state, result, True)
            judged.append(
                classifier.appearance(result._replace(states=state[None] + (5.0, 5.0, 0, 0)))[0]
            )
        apart = max(apart, abs(judged[0] - judged[1]))
    assert apart < 5e-4


def test_features_of_another_shape_are_refused(kernels):
    pooling = kernels.new(online.CompiledPooling, np.zeros(8, np.float32), 16, 16, 2, LEAST_PART)
    with pytest.raises(ValueError, match="features"):
        pooling.describe(np.zeros((1, 8, 225), np.float32), np.zeros((1, 4)), (0, 0), (1, 1))
    with pytest.raises(ValueError, match="samples"):
        regression_of(kernels, 9).predict(np.zeros((2, 8), np.float32))
    features, state = np.zeros((1, 8, 256), np.float32), np.ones(4)
    with pytest.raises(ValueError, match="33 of 9"):
        given = pooling, regression_of(kernels, 9), state, features, (0, 0), (1, 1)
        kernels.new(online.CompiledSamples, *SAMPLES).of_frame(*given, 127.5, 2.0)


@examples(200, phases=NO_SHRINKING)
@given(st.integers(0, 10**6))
def test_the_samples_of_a_frame_are_those_of_the_definition(kernels, seed):
    random = np.random.RandomState(seed)
    state = np.concatenate([random.uniform(-50, 700, 2), np.exp(random.uniform(1, 6, 2))])
    centre, scale = state[:2] + random.uniform(-90, 90, 2), tuple(np.exp(random.uniform(-1, 2, 2)))
    features = features_of(random, 3, 16)
    mean = features_of(random, 3, 16)[0].mean(axis=1)
    pooling, regression = (
        kernels.new(online.CompiledPooling, mean, 16, 16, 2, LEAST_PART),
        regression_of(kernels, 13),
    )
    regression.weights[:] = random.randn(13)
    frame = pooling, regression, state, features, centre, scale, 127.5, 2.0
    *compiled, positives = kernels.new(online.CompiledSamples, *SAMPLES).of_frame(*frame)
    *defined, expected = definition.Samples(*SAMPLES).of_frame(*frame)
    assert positives == expected
    for values, definitive in zip(compiled[:2], defined[:2]):  # boxes and what is under them
        np.testing.assert_array_equal(values, definitive)
    np.testing.assert_allclose(compiled[2], defined[2], rtol=1e-12)

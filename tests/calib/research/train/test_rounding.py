"""Whole numbers while a network trains."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")

from calib.research.train import rounding  # noqa: E402  (after the check for torch)
from calib.research.train.network import Folded, Kestrel  # noqa: E402
from kernels.fpga.design.compiler import exponents  # noqa: E402


def crops(count):
    generator = torch.Generator().manual_seed(count)
    return [torch.randn(count, 3, side, side, generator=generator) for side in (127, 255)]


@pytest.fixture(scope="module")
def folded():
    torch.manual_seed(1)
    network = Kestrel("tiny", 12)
    network.train()
    for _ in range(3):
        network(*crops(4))
    found = Folded(network.eval())
    rounding.prepare(found, [crops(8)])
    return found


def test_values_become_int8_multiples_and_the_gradient_passes():
    values = torch.tensor([0.3, -0.26, 100.0, -100.0], requires_grad=True)
    found = rounding.rounded(values, 0.25)
    assert found.tolist() == [0.25, -0.25, 31.75, -32.0]
    found.sum().backward()
    assert values.grad.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_rounding_changes_the_maps_a_little_and_only_when_it_is_on(folded):
    with torch.no_grad():
        plain = folded(*crops(2))
        rounding.switch(folded, True)
        whole = folded(*crops(2))
        rounding.switch(folded, False)
        again = folded(*crops(2))
    assert torch.equal(plain[0], again[0]) and torch.equal(plain[1], again[1])
    assert 0 < (plain[0] - whole[0]).abs().max() < 0.5 * plain[0].std() + 0.5
    step = folded.search_graph.score[-1].output_step
    assert torch.equal(whole[0] / step, (whole[0] / step).round())


def test_weights_have_the_scales_of_the_fpgas_compiler(folded):
    layer = folded.search_graph.reduce[0]
    weight = layer.weight.detach().numpy()
    own = exponents.weight_exponents(weight)
    expected = exponents.rounded(weight, own) * 2.0 ** own.astype(float)[:, None, None, None]
    rounding.switch(folded, True)
    np.testing.assert_allclose(rounding.weights(layer).detach().numpy(), expected, atol=1e-7)


def test_every_convolution_is_rounded(folded):
    for layer in rounding.convolutions(folded):
        assert layer.weight_step is not None
    with_output = [layer for layer in folded.modules() if hasattr(layer, "output_step")]
    assert len(with_output) == len(rounding.convolutions(folded)) + 1  # and the correlation


def test_the_input_step_holds_black_and_white():
    ends = torch.tensor([-118 / 58.0, (255 - 118) / 58.0])
    assert (rounding.rounded(ends, rounding.INPUT_STEP) - ends).abs().max() <= 2.0**-6

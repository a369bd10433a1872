"""16-bit pictures of thermal cameras become visible 8-bit ones, and the user is told how."""

import cv2
import numpy as np
import pytest

from hotpath.video.depth import linear
from hotpath.video.sources import open_source
from tests.support.streams import scene


def write_thermal(folder, low, high):
    """Gradients between two values as six 16-bit pictures; each is a little brighter."""
    for index in range(6):
        top = low + (high - low) * (index + 1) // 6
        picture = np.linspace(low, top, 64 * 48).reshape(48, 64).astype(np.uint16)
        assert cv2.imwrite(str(folder / f"{index:03d}.png"), picture)
    return str(folder)


def frames_and_words(folder, **more):
    said = []
    with open_source(folder, said.append, **more) as source:
        return [source.read() for _ in range(source.frames)], " ".join(said)


@pytest.mark.parametrize("low, high", [(0, 4095), (1000, 3000), (7000, 9000), (0, 300)])
def test_a_narrow_range_fills_the_eight_bits_and_one_scale_holds_for_all_frames(
    tmp_path, low, high
):
    frames, words = frames_and_words(write_thermal(tmp_path, low, high))
    assert frames[0].min() == 0 and frames[-1].max() == 255
    assert frames[0].max() < frames[2].max() < frames[-1].max()  # brightness is kept
    assert f" {low} to {high} become 0 to 255; --depth N" in words


def test_all_sixteen_bits_keep_their_high_byte(tmp_path):
    frames, words = frames_and_words(write_thermal(tmp_path, 0, 65535))
    assert abs(int(frames[0].max()) - 65535 // 6 // 256) <= 1 and frames[-1].max() == 255
    assert " 0 to 65535 become " in words
    colour = scene.picture_at(5)
    cv2.imwrite(str(tmp_path / "000.png"), colour.astype(np.uint16) * 257)
    assert np.array_equal(frames_and_words(str(tmp_path))[0][0], colour)


def test_depth_states_the_bits_that_are_in_use(tmp_path):
    folder = write_thermal(tmp_path, 1000, 3000)
    frames, words = frames_and_words(folder, depth=12)
    assert frames[0].min() == round(1000 * 255 / 4095) and "values 0 to 4095" in words
    assert frames[-1].max() == round(3000 * 255 / 4095) and "do not fit" not in words


def test_values_that_do_not_fit_in_the_depth_are_told_once_with_the_bits_they_need(tmp_path):
    folder = write_thermal(tmp_path, 1000, 23008)
    frames, words = frames_and_words(folder, depth=12)
    assert frames[-1].max() == 255
    assert words.count("values up to 23008 do not fit in 12 bits") == 1
    assert "--depth out, or give 15" in words
    assert "do not fit" not in frames_and_words(folder, depth=15)[1]


@pytest.mark.parametrize("low, high", [(0, 4095), (7000, 9000), (5, 5)])
def test_the_scale_is_linear_clipped_and_rounded(low, high):
    values = np.arange(65536, dtype=np.uint16)
    exact = np.clip((values - float(low)) * 255 / max(high - low, 1), 0, 255)
    assert np.abs(linear(low, high)(values) - exact).max() <= 0.5 + 1e-9


def test_eight_bit_pictures_need_no_words(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.full((40, 60), 100, np.uint8))
    assert frames_and_words(str(tmp_path))[1] == ""

"""Parts of JPEG files: the windows that are decoded equal libjpeg's whole picture."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.kernels import golden
from hotpath.kernels.cpu import jpeg
from tests.support import compiled
from tests.support.examples import examples
from tests.support.jpegs import encoded, picture, without_tables

simplejpeg = pytest.importorskip("simplejpeg")

OPENCV = {
    "plain": [],
    "restarts": ["IMWRITE_JPEG_RST_INTERVAL", 3],
    "a restart each row": ["IMWRITE_JPEG_RST_INTERVAL", 10],
    "own tables": ["IMWRITE_JPEG_OPTIMIZE", 1],
    "best": ["IMWRITE_JPEG_QUALITY", 100],
    "worst": ["IMWRITE_JPEG_QUALITY", 3],
}


def by_opencv(how, width=150, height=90):
    values = [getattr(cv2, word) if isinstance(word, str) else word for word in OPENCV[how]]
    return cv2.imencode(".jpg", picture(width, height), values)[1].tobytes()


@pytest.fixture(scope="module")
def decoders():
    """With vector instructions and without."""
    return [
        kernels.new(jpeg.JpegDecoder)
        for kernels in (compiled.kernels(), compiled.kernels("-DHP_PORTABLE"))
    ]


def by_libjpeg(data, scale):
    """The whole picture, BGR."""
    height, width = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    least = {"min_width": -(-width // scale), "min_height": -(-height // scale)}
    return simplejpeg.decode_jpeg(data, "BGR", fastupsample=True, min_factor=scale, **least)


@pytest.fixture(scope="module")
def files():
    """Files by name, and what libjpeg makes of them: name -> (data, scale -> BGR)."""
    found = {how: by_opencv(how) for how in OPENCV}
    found["no tables"] = without_tables(found["plain"])
    for sampling in ("444", "422", "420", "Gray"):
        for size in ((70, 50), (61, 43), (17, 9)):
            found[f"{sampling} {size}"] = encoded(picture(*size), sampling, quality=30 + size[0])
    truth = dict(found)
    truth["no tables"] = found["plain"]
    return {
        name: (data, {scale: by_libjpeg(truth[name], scale) for scale in jpeg.SCALES})
        for name, data in found.items()
    }


def opened(decoder, data):
    assert decoder.open(np.frombuffer(data, np.uint8))
    return decoder


@examples(200)
@given(st.data())
def test_windows_in_any_order_equal_libjpeg(decoders, files, data):
    file, truth = files[data.draw(st.sampled_from(sorted(files)))]
    for decoder in decoders:
        opened(decoder, file)
    height, width = truth[1].shape[:2]
    for _ in range(data.draw(st.integers(1, 4))):
        scale = data.draw(st.sampled_from(jpeg.SCALES))
        left, top = data.draw(st.integers(-40, width)), data.draw(st.integers(-40, height))
        right = left + data.draw(st.integers(1, 90))
        bottom = top + data.draw(st.integers(1, 90))
        for decoder in decoders:
            found = golden.bgr_from_planes(decoder.planes((left, top, right, bottom), scale))
            assert found.shape == truth[scale].shape
            down, across = height / found.shape[0], width / found.shape[1]
            part = np.s_[
                int(np.ceil(max(top, 0) / down)) : max(0, int(bottom / down)),
                int(np.ceil(max(left, 0) / across)) : max(0, int(right / across)),
            ]
            np.testing.assert_array_equal(found[part], truth[scale][part])


def test_no_more_than_the_window_is_decoded(decoders, files):
    for decoder in decoders:
        opened(decoder, files["plain"][0])
        whole = decoder.planes((0, 0, 150, 90), 1)
        for plane in whole.planes:
            plane[:] = 1
        opened(decoder, files["plain"][0])
        luma = decoder.planes((50, 50, 60, 60), 1).planes[0]
        assert (luma != 1).any() and (luma[:48] == 1).all() and (luma[64:] == 1).all()
        assert (luma[:, :48] == 1).all() and (luma[:, 64:] == 1).all()


def test_damaged_files_give_planes_or_an_error(decoders, files):
    random = np.random.RandomState(0)
    damaged = 0
    for number in range(400):
        data = np.frombuffer(files[sorted(files)[number % len(files)]][0], np.uint8).copy()
        places = random.randint(2, len(data), 5)
        data[places] = random.randint(0, 256, 5)
        if number % 3 == 0:
            data = data[: random.randint(3, len(data))].copy()
        for decoder in decoders:
            if not decoder.open(data) or max(decoder.shape) > 1000:
                continue
            height, width = decoder.shape[:2]
            try:
                assert decoder.planes((0, 0, width, height), 1).shape == decoder.shape
            except jpeg.DamagedJpeg:
                damaged += 1
    assert damaged > 20
    cut = by_opencv("plain")[:900]
    for decoder in decoders:
        opened(decoder, by_opencv("best", 640, 480))  # takes more memory
        opened(decoder, cut)._clean[len(cut) :] = 0  # zeros are codes, too
        with pytest.raises(jpeg.DamagedJpeg):
            decoder.planes((0, 0, 150, 90), 1)


def test_other_kinds_are_left_to_other_decoders(decoders):
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    data = cv2.imencode(".jpg", picture(64, 48), progressive)[1].reshape(-1)
    assert not any(decoder.open(data) for decoder in decoders)


def test_memory_is_used_again_for_the_next_file(decoders, files):
    for decoder in decoders:
        places = set()
        for how in ("plain", "own tables", "worst", "plain"):
            planes = opened(decoder, files[how][0]).planes((0, 0, 150, 90), 1)
            np.testing.assert_array_equal(golden.bgr_from_planes(planes), files[how][1][1])
            places.add(planes.planes[0].ctypes.data)
        assert len(places) == 1

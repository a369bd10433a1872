"""A file of MP4 boxes, or a picture of fill bytes, is refused or read soon, however long it is."""

import struct
import time

import pytest

from hotpath.runtime.errors import BadSource
from hotpath.video import containers, encoded
from hotpath.video.sources import open_source
from tests.support.errors import refusal

HEAD = struct.pack(">I4s8s", 16, b"ftyp", b"isom0000")


@pytest.mark.parametrize("content", [0, 1, 7, 20])
@pytest.mark.parametrize("kind", [b"free", b"mdat", b"moof"])
def test_a_file_of_tiny_boxes_is_refused_before_decoding(tmp_path, kind, content):
    path = tmp_path / "tiny.mp4"
    path.write_bytes(HEAD + (struct.pack(">I4s", 8 + content, kind) + b"x" * content) * 100000)
    began = time.process_time()
    with refusal(BadSource, "too many boxes"):
        open_source(str(path))
    assert time.process_time() - began < 2.0


def test_a_long_file_in_fragments_is_read_to_its_end(tmp_path):
    path = tmp_path / "long.mp4"
    fragment = struct.pack(">I4s84s", 92, b"moof", b"") + struct.pack(">I4s", 8, b"mdat")
    path.write_bytes(HEAD + fragment * 20000)
    assert sum(1 for _ in containers.mp4_boxes(str(path))) == 40001


def seconds_for(count):
    data = b"\xff\xd8" + b"\xff" * count + b"\xe0\0\4ab\xff\xda" + b"x" * 100
    began = time.process_time()
    plain = encoded.plain_jpeg(data)
    assert plain == b"\xff\xd8\xff\xe0\0\4ab\xff\xda" + b"x" * 100 + encoded.JPEG_END
    return time.process_time() - began


def test_a_picture_of_fill_bytes_is_read_in_one_pass():
    assert seconds_for(2000000) < 8.0  # a pass for each byte takes a minute


def test_headers_between_fill_bytes_stay_as_they_are():
    headers = b"\xff\xe0\0\4ab", b"\xff\xdb\0\3c", b"\xff\xda\0\2rest"
    data = b"\xff\xd8" + headers[0] + b"\xff\xff" + headers[1] + b"\xff\xd8\xff" + headers[2]
    plain = b"\xff\xd8" + b"".join(headers) + encoded.JPEG_END
    assert encoded.plain_jpeg(data + encoded.JPEG_END) == plain

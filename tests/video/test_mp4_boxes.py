"""A file of MP4 boxes is refused soon, however many it has."""

import struct

import pytest

from hotpath.video import containers

HEAD = struct.pack(">I4s8s", 16, b"ftyp", b"isom0000")


@pytest.mark.parametrize("kind", [b"free", b"skip", b"mdat", b"moof"])
def test_a_file_of_empty_boxes_is_not_read_to_its_end(tmp_path, kind):
    path = tmp_path / "empty.mp4"
    path.write_bytes(HEAD + struct.pack(">I4s", 8, kind) * 100000)
    assert sum(1 for _ in containers.mp4_boxes(str(path))) <= containers.MOST_EMPTY + 1
    assert containers.is_cut_off(str(path))


def test_a_long_file_in_fragments_is_read_to_its_end(tmp_path):
    path = tmp_path / "long.mp4"
    path.write_bytes(HEAD + struct.pack(">I4s4s", 12, b"moof", b"") * 20000)
    assert sum(1 for _ in containers.mp4_boxes(str(path))) == 20001

"""The INT8 form of each network that ships is what its table of ranges gives."""

import pytest

from calib import int8
from runtime import precision
from runtime.networks import FOLDER, load_network
from tests.support import tiny
from tests.support.clips import write_clip


@pytest.mark.parametrize("name", ["kestrel", "kestrel_small"])
def test_it_is_made_anew_from_the_table_that_ships(name, tmp_path):
    shipped = precision.int8_form(load_network(name))
    frames, boxes = tiny.film(24)
    for clip, start in (("one", 0), ("two", 12)):
        part = slice(start, start + 12)
        write_clip(tmp_path / "clips" / clip, frames[part], boxes[part])
    arguments = ["--network", name, "--clips", str(tmp_path / "clips")]
    arguments += ["--table", str(FOLDER / (name + "-ranges.json"))]
    assert int8.main([*arguments, "--out", str(tmp_path / "out")]) == 0
    again = load_network(str(tmp_path / "out" / shipped.path.name))
    assert [entry.sha256 for entry in again.files] == [entry.sha256 for entry in shipped.files]
    assert shipped.locate()

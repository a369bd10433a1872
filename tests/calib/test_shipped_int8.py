"""The INT8 form of the default network that ships is what its table of ranges gives."""

import cv2
import numpy as np

from calib import int8
from runtime import precision
from runtime.networks import DEFAULT_NETWORK, FOLDER, load_network
from tests.support import tiny
from tests.support.clips import write_boxes


def test_it_is_made_anew_from_the_table_that_ships(tmp_path):
    shipped = precision.int8_form(load_network(DEFAULT_NETWORK))
    frames, boxes = tiny.film(24)
    for name, start in (("one", 0), ("two", 12)):
        folder = tmp_path / "clips" / name
        (folder / "img").mkdir(parents=True)
        for index, frame in enumerate(frames[start : start + 12]):
            cv2.imwrite(str(folder / "img" / "{:03d}.png".format(index)), frame)
        write_boxes(folder / "boxes.csv", np.array(boxes[start : start + 12]))
    arguments = ["--network", DEFAULT_NETWORK, "--no-speed", "--clips", str(tmp_path / "clips")]
    arguments += ["--table", str(FOLDER / (DEFAULT_NETWORK + "-ranges.json"))]
    assert int8.main([*arguments, "--out", str(tmp_path / "out")]) == 0
    again = load_network(str(tmp_path / "out" / shipped.path.name))
    assert [entry.sha256 for entry in again.files] == [entry.sha256 for entry in shipped.files]
    assert shipped.locate()

"""The INT8 form of each network that ships is what its table of ranges gives."""

import onnx
import pytest

from calib import int8, table
from calib.calibration import Calibration
from calib.store import Store
from runtime import precision
from runtime.networks import FOLDER, load_network


@pytest.mark.parametrize("name", ["kestrel", "kestrel_small"])
def test_it_is_made_anew_from_the_table_that_ships(name, tmp_path):
    network = load_network(name)
    shipped = precision.int8_form(network)
    work = Calibration(network, None, [], [], (1, 1), Store(tmp_path / "work"))
    ranges = table.read(FOLDER / (name + "-ranges.json"), network)
    again = load_network(str(int8.write_targets(work, ranges, (), tmp_path)["cpu"]))
    assert again.path.name == shipped.path.name
    for part, path in shipped.locate().items():
        graphs = [onnx.load(str(each)).graph for each in (path, again.locate()[part])]
        for graph in graphs:
            del graph.value_info[:]  # shapes that the other values give
        assert graphs[0] == graphs[1]

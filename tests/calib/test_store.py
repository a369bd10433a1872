"""What a calibration keeps on disk comes back as it was, and nothing in it is executed."""

import pickle

import numpy as np

from hotpath.calib.errors import BadRun
from hotpath.calib.store import Store
from tests.support.errors import refusal


class Planted:
    """An object that a pickle makes by a call."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def test_arrays_numbers_and_their_types_come_back(tmp_path):
    value = {
        "part": {"x": (np.arange(5), np.float32(1.5), np.array(2.0, np.float32), 0.1, None)},
        "empty": (),
    }
    Store(tmp_path).value("kept", [1], lambda: value)
    found = Store(tmp_path).value("kept", [1], lambda: 1 / 0)
    assert found.keys() == value.keys() and found["empty"] == ()
    for one, other in zip(found["part"]["x"], value["part"]["x"]):
        assert type(one) is type(other)
        assert np.array_equal(one, other) and getattr(one, "dtype", 0) == getattr(other, "dtype", 0)


def test_a_planted_pickle_does_not_run(tmp_path):
    Store(tmp_path).value("kept", [], lambda: (np.zeros(2),))
    (kept,) = tmp_path.glob("*.npz")
    trap = tmp_path / "trap"
    planted = Planted(open, str(trap), "w")
    for plant in (
        lambda: kept.write_bytes(pickle.dumps(planted)),
        lambda: np.savez(kept, np.array([planted], object)),
    ):
        plant()
        with refusal(BadRun, "not read"):
            Store(tmp_path).value("kept", [], lambda: None)
    assert not trap.exists()

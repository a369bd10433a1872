"""However and whenever a run is killed, its outputs are whole: the old file or the new one."""

import pytest

from hotpath_release import kills

pytest.importorskip("av")
pytest.importorskip("onnxruntime")


@pytest.mark.slow("two hundred runs")
@pytest.mark.timeout(1800)
def test_two_hundred_random_kills_lose_no_file():
    counts = kills.kill(200)
    assert not [name for name, state in counts if state == "lost"]
    assert {state for _, state in counts} == {"old", "new"}  # the kills hit both


def test_a_lost_file_is_noticed(tmp_path):
    for name, data in (("a.csv", b"a,b\n"), ("b.csv", b"a,b\n1"), ("c.mp4", b"\0"), ("d.mkv", b"")):
        (tmp_path / name).write_bytes(data)
        assert kills.state_of(str(tmp_path / name)) == "lost"
    assert kills.state_of(str(tmp_path / "none.csv")) == "lost"

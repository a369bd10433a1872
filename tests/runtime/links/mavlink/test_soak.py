"""Everything on for half a minute: commands are answered, memory stays bounded, nothing is lost.

``python -m tests.drone.soak --minutes 30`` is the same for long.
"""

import pytest

pytest.importorskip("pymavlink")
pytest.importorskip("openvino")

from runtime.video.save import Video
from tests.drone import soak
from tests.runtime.links.stream.test_sender import needs_gstreamer
from tests.support import tiny

SECONDS, FPS = 24, 25
GROWTH_MB = 40.0  # of half a minute: buffers of frames fill; a leak of every frame is 140 MB


@pytest.mark.slow("half a minute of everything at once")
@needs_gstreamer
def test_everything_on_for_half_a_minute(tmp_path, monkeypatch):
    pytest.importorskip("av")
    monkeypatch.setattr(soak, "EVERY_S", 2.0)
    pictures, _ = tiny.film(100)
    path = tmp_path / "film.mp4"
    video = Video(str(path), FPS)
    for index in range((SECONDS + 60) * FPS):  # forward and backward, so that nothing jumps
        video.write(pictures[99 - abs(index % 198 - 99)], index / FPS)
    video.close()
    found = soak.soak(str(path), SECONDS, str(tmp_path))
    assert found["code"] in (0, 130), found["text"]
    assert found["accepted"] >= 6 and found["refused"] <= found["accepted"]
    begin, end, _ = soak.growth_mb(found, "tracker")
    assert begin > 50 and end - begin < GROWTH_MB
    assert (tmp_path / "soak.mkv").stat().st_size > 10000
    assert len((tmp_path / "soak.csv").read_text().splitlines()) > 50
    assert "mavlink:" in found["text"] and "stream:" in found["text"]

"""A live list of segments is given at the pace of its stamps, though its frames come in packs."""

import re
import time

import pytest

from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video.base import WAITING
from hotpath.video.cameras import LiveListPace
from hotpath.video.live import LiveSource
from hotpath.video.sources import open_source
from tests.support.streams import scene
from tests.video.test_web import Files, web_server

av = pytest.importorskip("av")
from tests.support.streams.films import even, write  # noqa: E402

RATE, COUNT = 30, 150
FORMS = {  # FFmpeg's options
    "transport streams": {},
    "fragments": {"hls_segment_type": "fmp4"},
    "of short segments": {"hls_time": "0.4"},
}


def growing(text):
    """A server of files whose list has more segments each half second, and no end."""
    head, *segments = re.split(r"(?=#EXTINF)", text.replace("#EXT-X-ENDLIST\n", ""))
    began = []

    class Growing(Files):
        def do_GET(self):
            if not self.path.endswith(".m3u8"):
                return super().do_GET()
            began.append(time.monotonic())
            count = 4 + int((began[-1] - began[0]) / 0.5)
            self.send_response(200)
            self.end_headers()
            self.wfile.write((head + "".join(segments[:count])).encode())

    return Growing


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_live_list_keeps_the_distances_of_its_frames(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    form = {"hls_time": "0.5", "hls_list_size": "0", **FORMS[name]}
    write("a.m3u8", even(COUNT), "libx264", {"g": "12", "bf": "0"}, form=form)
    log, seen = [], []
    with web_server(growing((tmp_path / "a.m3u8").read_text())) as address:
        with open_source(address + "a.m3u8", log.append) as source:
            assert isinstance(source, LiveSource)
            while len(seen) < 40:
                frame = source.read(20.0)
                assert frame is not WAITING and frame is not None
                seen.append((scene.tick_of(bgr_of(frame)), source.time_s))
    pairs = list(zip(seen, seen[1:]))
    assert all(after[0] > before[0] for before, after in pairs)
    right = [
        abs((after[1] - before[1]) * RATE - (after[0] - before[0])) < 0.5 for before, after in pairs
    ]
    assert sum(right) >= 0.9 * len(right)  # a busy machine may stall, and the clock begins anew
    assert not [line for line in log if "back at" in line]


def test_a_pack_is_spread_by_its_stamps_and_a_stall_begins_anew():
    pace = LiveListPace()
    packs = [pace.due_s(n / 30, 100.0) for n in range(60)]  # all at once
    assert packs == pytest.approx([100 + n / 30 for n in range(60)])
    assert pace.due_s(2.0, 110.0) == 110.0  # eight seconds late
    assert pace.due_s(2.5, 110.1) == pytest.approx(110.5)

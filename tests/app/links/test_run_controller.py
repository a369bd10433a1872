"""What is asked of a run, and the buffer of its newest frames."""

from types import SimpleNamespace
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest

from hotpath.app.cli.drawing_output import DrawingOutput
from hotpath.app.cli.profile import Profile
from hotpath.app.links.frame_buffer import FrameBuffer
from hotpath.app.links.requests import RequestRefused
from hotpath.app.links.run_controller import CONFIRM, Controller
from hotpath.app.option_records import LinkOptions
from hotpath.runtime.errors import BadNetwork, BadOption
from hotpath.runtime.types import Box, Track
from hotpath.video.base import TrackedFrame
from hotpath.video.results import ResultsWriter, Rows
from tests.support.errors import refusal
from tests.support.run_outputs import run_outputs

FRAME = np.zeros((10, 10, 3), np.uint8)


@pytest.fixture
def control():
    return controller(LinkOptions(results="a.csv"))


def controller(options):
    source = Mock(live=False, period_s=0.0)
    stop = SimpleNamespace(requested=False)
    made = Controller(options, MagicMock(), source, stop, run_outputs(Mock()))
    tracks = {3: Track(Box(1, 2, 3, 4), 0.5)}
    made.write(TrackedFrame(FRAME, 7, None, tracks))
    return made


def test_frames_go_to_the_files_only_while_the_run_records(control, tmp_path):
    rows, video = Rows(), MagicMock()
    rows.results, rows.records = (
        ResultsWriter(tmp_path / "a.csv", rows.columns),
        lambda: control.recording,
    )
    drawn = DrawingOutput(Profile(), None, video, rows.records)
    for index, on in enumerate((True, False, True)):
        control.record(on)
        for output in (rows, drawn):
            output.write(TrackedFrame(FRAME, index, 0.1 * index, control.newest.tracks))
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "2"]
    assert [call[0][1] for call in video.write.call_args_list] == [0.0, 0.2]
    with refusal(RequestRefused, "no file"):
        controller(LinkOptions()).record(True)


def test_the_page_asks_to_confirm_what_waits_for_somebody(control):
    control.source.gaps = []
    for why, asks in (("the picture was seen before", False), (f"it swings; {CONFIRM}", True)):
        control.holds["gimbal"] = why
        state = control.state(TrackedFrame(FRAME, 7, None, {}))
        assert state["confirm"] == asks and state["holds"] == {"gimbal": why}
    acts = control.selection.acts
    control.confirm()
    assert control.selection.acts == acts + 1
    control.targets.confirm.assert_called_once_with(3)


def filled(count, most, held=()):
    """A buffer for ``most`` frames, after ``count`` frames were added; each held by itself."""
    buffer = FrameBuffer(most * FRAME.nbytes)
    for index in range(count):
        buffer.add(TrackedFrame(FRAME, index, None, {}))
        if index in held:
            buffer.hold(index, index)
    return buffer


def kept(buffer, count):
    return [index for index in range(count) if buffer.since(index)]


def test_memory_has_an_end_and_the_newest_frames_are_all_there():
    indices = kept(filled(1000, 40), 1000)
    assert len(indices) <= 40
    assert indices[-20:] == list(range(980, 1000))
    assert indices[0] < 960, "older ones are sparser, not gone"


def test_a_held_frame_stays_until_its_release():
    buffer = filled(1000, 40, held=[300])
    frames = buffer.since(300)
    assert frames[0].index == 300 and frames[-1].index == 999
    assert len(frames) <= 40
    buffer.hold(300, None)
    for index in range(1000, 2000):
        buffer.add(TrackedFrame(FRAME, index, None, {}))
    assert buffer.since(300) == []

    assert len(kept(filled(500, 20, held=range(500)), 500)) <= 40


def test_a_frame_that_was_never_there_is_not_found():
    buffer = filled(10, 40)
    buffer.hold("hand", 77)
    assert buffer.since(77) == [] and buffer.since(-1) == []
    assert [tracked.index for tracked in buffer.since(8)] == [8, 9]


def test_large_frames_are_fewer_but_never_too_few_to_aim():
    large = np.zeros((2000, 2000, 3), np.uint8)
    buffer = FrameBuffer(1)
    for index in range(50):
        buffer.add(TrackedFrame(large, index, None, {}))
    assert len(kept(buffer, 50)) >= 5


BOX, MOVED, NEW = Box(1, 2, 3, 4), Box(6, 6, 3, 3), Track(Box(1, 1, 5, 5), 1.0)
SELECTS = {  # name -> (state and box that the user saw, those now, the selection, besides what)
    "a tap in the box": ("tracked", BOX, "tracked", BOX, {"point": (2.0, 3.0)}, BOX),
    "a tap in its box as it was": ("tracked", BOX, "tracked", MOVED, {"point": (2.0, 3.0)}, BOX),
    "a tap elsewhere": ("tracked", BOX, "tracked", BOX, {"point": (9.0, 9.0)}, None),
    "in the box of a lost target": ("lost", BOX, "lost", BOX, {"point": (2.0, 3.0)}, None),
    "beside an unsure target": ("unsure", BOX, "unsure", BOX, {"point": (9.0, 9.0)}, None),
    "a box around it": ("unsure", BOX, "unsure", BOX, {"box": (1, 2, 5, 5)}, None),
    "it was unsure, and is lost": ("unsure", BOX, "lost", BOX, {"point": (2.0, 4.0)}, BOX),
}


@pytest.mark.parametrize("name", SELECTS)
def test_what_does_not_confirm_a_target_selects_another_object(control, name):
    seen, seen_box, now, now_box, how, besides = SELECTS[name]
    control.targets.add.return_value = 4
    control.targets.first.return_value = control.targets.follow.return_value = NEW
    for index, state, box in ((8, seen, seen_box), (9, now, now_box)):
        track = Track(box, 0.4, state == "lost", state)
        control.write(TrackedFrame(FRAME, index, None, {3: track}))
    assert control.add_target(8, replaced=3, **how) == 4
    assert control.targets.add.call_args[1].get("besides") == besides
    control.targets.confirm.assert_not_called()
    assert list(control.newest.tracks) == [4]


@pytest.mark.parametrize("seen, now", [("unsure", "tracked"), ("tracked", "unsure")])
def test_a_tap_in_the_box_of_an_unsure_target_confirms_it(control, seen, now):
    control.write(TrackedFrame(FRAME, 8, None, {3: Track(BOX, 0.4, state=seen)}))
    control.write(TrackedFrame(FRAME, 9, None, {3: Track(BOX, 0.4, state=now)}))
    acts = control.selection.acts
    assert control.add_target(8, None, 3, point=(2.0, 4.0)) == 3
    control.targets.confirm.assert_called_once_with(3)
    control.targets.add.assert_not_called()
    control.targets.drop.assert_not_called()
    assert control.selection.acts == acts + 1


def test_the_page_gets_the_state_and_how_it_is_drawn(control):
    control.source.gaps = []
    tracks = {3: Track(BOX, 0.4, state="unsure"), 4: Track(BOX, 0.4, state="unsure")}
    targets = control.state(TrackedFrame(FRAME, 8, None, tracks, drawn={3: "tracked"}))["targets"]
    assert [(each["state"], each["drawn"]) for each in targets] == [
        ("unsure", "tracked"),
        ("unsure", "unsure"),
    ]


@pytest.mark.parametrize("error", [BadOption("no features"), BadNetwork("unreadable")])
def test_a_drawn_box_is_taken_as_it_is_where_the_head_cannot_run(control, error):
    control.targets.first.return_value = NEW
    control.targets.add.side_effect = [error, 4]
    assert control.add_target(7, (1, 1, 5, 5), snug=True) == 4
    assert not control.targets.add.call_args[1].get("snug")
    control.targets.add.side_effect = error
    with pytest.raises(type(error)):
        control.add_target(7, (1, 1, 5, 5))


def test_a_box_is_tightened_on_request_by_a_network_with_a_head(control):
    control.targets.first.return_value = NEW
    for head, snug in ((None, True), ("a head", False), ("a head", True)):
        control.targets.device.finds_at_points = bool(head)
        control.add_target(7, (1, 1, 5, 5), snug=snug)
        assert control.targets.add.call_args[1]["snug"] is (bool(head) and snug)

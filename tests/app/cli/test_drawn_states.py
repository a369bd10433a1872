"""A state that lasts one frame is not drawn: in the window, on the page, in the saved film."""

import contextlib
import csv
from types import SimpleNamespace
from unittest.mock import MagicMock, Mock

import cv2
import numpy as np
import pytest

from hotpath.app.cli.outputs import Outputs
from hotpath.app.frames import opened_source
from hotpath.app.links.target_controls import Controls
from hotpath.app.option_records import (
    LinkOptions,
    OutputOptions,
    RunOptions,
    SourceOptions,
    TargetOptions,
)
from hotpath.app.selection import Selection
from hotpath.runtime.options import Options
from hotpath.runtime.types import Box, Track
from hotpath.video.base import TrackedFrame, drawn_states
from hotpath.video.drawing import AMBER, TARGETS

STATES = {"t": "tracked", "f": "tracked", "u": "unsure", "l": "lost"}  # f: found


def track_of(letter):
    state = STATES[letter]
    return Track(Box(40, 40, 60, 50), 0.9, state == "lost", state, found=letter == "f")


def drawn_of(letters):
    """The initials of the states with which those of a film are drawn."""
    before, drawn, initials = {}, {}, ""
    for letter in letters:
        tracks = {3: track_of(letter)}
        before, drawn = tracks, drawn_states(tracks, before, drawn)
        initials += drawn[3][0]
    return initials


@pytest.mark.parametrize(
    "states, drawn",
    [
        ("ttuttt", "tttttt"),
        ("uutuuu", "uuuuuu"),
        ("ttuuut", "tttuuu"),  # a state that stays is drawn one frame late
        ("tututu", "tttttt"),
        ("llulluul", "llllllul"),
        ("ttlltt", "ttlllt"),  # lost at once
        ("uulfuu", "uulttu"),  # and so is what was found
        ("u", "u"),
    ],
)
def test_a_state_of_one_frame_is_drawn_as_the_one_before(states, drawn):
    assert drawn_of(states) == drawn


@pytest.fixture
def run(tmp_path):
    """The outputs of a run that saves a film and rows of eight black frames."""
    (tmp_path / "frames").mkdir()
    for index in range(8):
        cv2.imwrite(f"{tmp_path}/frames/{index}.png", np.zeros((240, 320, 3), np.uint8))
    files = OutputOptions(
        results=f"{tmp_path}/a.csv", save=f"{tmp_path}/a.mp4", show=False, quiet=True
    )
    folder = SourceOptions(video=f"{tmp_path}/frames", fps=25)
    options = RunOptions(folder, TargetOptions(), Options(), files, LinkOptions())
    targets = SimpleNamespace(
        title="kestrel",
        device=SimpleNamespace(kernels_name="cpu"),
        engine=SimpleNamespace(describe=dict),
    )
    with contextlib.ExitStack() as cleanup:
        source = opened_source(folder, print, cleanup)
        frame = source.read(1.0)
        outputs = cleanup.enter_context(Outputs(options, targets, source, Mock(), frame))
        yield outputs, frame, tmp_path


def test_the_film_shows_no_state_of_one_frame_and_the_rows_have_it(run):
    outputs, frame, folder = run
    for index, letter in enumerate("ttuttuuu"):
        outputs.write(TrackedFrame(frame, index, index / 25.0, {0: track_of(letter)}))
    outputs.close()
    rows = list(csv.DictReader((folder / "a.csv").open()))
    assert [row["state"][0] for row in rows] == list("ttuttuuu")
    film, colours = cv2.VideoCapture(f"{folder}/a.mp4"), ""
    for _ in range(8):
        corner = film.read()[1][38:43, 38:43].max(axis=(0, 1)).astype(int)
        off = {name: abs(corner - bgr).sum() for name, bgr in zip("tu", (TARGETS[0], AMBER))}
        colours += min(off, key=off.get)
    assert colours == "ttttttuu"


def test_an_answer_is_drawn_at_once_and_stays(run):
    outputs, frame, _ = run
    outputs.controls = Controls(MagicMock(), Selection(), Mock())
    outputs._outputs.append(outputs.controls)
    outputs.write(TrackedFrame(frame, 0, 0.0, {0: track_of("u")}))
    outputs.controls.confirm(0)
    assert outputs.controls.newest.drawn_tracks()[0].state == "tracked"
    outputs.write(TrackedFrame(frame, 1, 0.04, {0: track_of("t")}))
    assert outputs.controls.newest.drawn == {0: "tracked"}

"""Risk against coverage, as docs/results/identity.md has it."""

import xml.dom.minidom

import numpy as np
import pytest

from hotpath_lab import risk
from hotpath_lab.state_metrics import CountedFrames
from tests.support import tiny
from tests.support.clips import write_clip


def film(right, presence):
    right = np.array(right, bool)
    return CountedFrames(*[right] * 6)._replace(presence=np.array(presence, float))


def test_frames_are_let_through_by_presence_over_all_films():
    films = [film([1, 0], [0.9, 0.2]), film([1, 0], [0.3, 0.8])]
    assert risk.risks(films, [0.25, 0.5, 0.75, 1]) == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])


def test_the_coverage_is_of_the_frames_with_the_target():
    gone = film([0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6])
    gone = gone._replace(overlaps=np.array([np.nan, 1, 0, np.nan]))
    assert risk.risks([gone], [0.5, 1]) == pytest.approx([1, 1 / 2])


@pytest.mark.parametrize("right", [[1, 1, 0, 0], [0, 0, 1, 1]])
def test_of_equal_presences_each_counts_by_its_share(right):
    assert risk.risks([film(right, [0.5] * 4)], [0.25, 0.5]) == pytest.approx([0.5, 0.5])


def test_the_table_has_a_row_for_each_set_and_tracker():
    one, other = [film([1, 1, 0, 1, 1], np.arange(5))], [film([0, 1, 1, 1, 1], np.arange(5))]
    lines = risk.table({"a": {"clips": one}, "b": {"clips": other}}).splitlines()
    assert lines[0] == "| set | network | 20 % | 40 % | 60 % | 80 % | 100 % |"
    none, third = ".000 [.000, .000]", ".333 [.333, .333]"
    assert lines[2].startswith(f"| clips | a | {none} | {none} | {third} | .250 [.250, .250] |")
    assert lines[3].startswith(f"| clips | b | {none} | {none} | {none} | {none} | .200 [")


def test_the_picture_has_a_plot_for_each_set_and_a_line_for_each_tracker(tmp_path):
    easy, hard = [film([1, 1], [0.9, 0.2])], [film([1, 0], [0.9, 0.2])]
    sets = {name: {"clips": easy, "films": hard} for name in "abc"}
    risk.draw(sets, tmp_path / "risk.svg")
    risk.draw(sets, tmp_path / "again.svg")
    assert (tmp_path / "risk.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()
    root = xml.dom.minidom.parse(str(tmp_path / "risk.svg"))
    texts = [each.firstChild.data for each in root.getElementsByTagName("text")]
    wrong = ": wrong boxes, in % of the claimed frames"
    assert {"clips" + wrong, "films" + wrong, "a", "b", "c", "50"} <= set(texts)
    drawn = [each.getAttribute("style") for each in root.getElementsByTagName("path")]
    for colour, _ in risk.LINES[:3]:  # in both plots and the legend
        assert sum(f"stroke: {colour};" in style for style in drawn) == 3


@pytest.fixture
def given(tmp_path):
    """The options of a run on one small clip, and its network."""
    pictures, boxes = tiny.film(6)
    write_clip(tmp_path / "clips" / "one", pictures, boxes)
    toml = str(tiny.write_network(tmp_path, tiny.watched(**tiny.LOSSY)))
    place = "--clips", str(tmp_path / "clips"), "--out", str(tmp_path / "out")
    return [*place, "--networks", toml], toml


def test_the_command_tracks_prints_and_draws(given, tmp_path, capsys):
    options, _ = given
    assert risk.main([*options, "--picture", str(tmp_path / "risk.svg")]) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("| clips | tiny | ")
    assert len(xml.dom.minidom.parse(str(tmp_path / "risk.svg")).getElementsByTagName("svg")) == 1


@pytest.mark.parametrize(
    "networks, picture, sentence",
    [(1, "none/risk.svg", "does not exist; make it first"), (5, "risk.svg", "has 4 lines")],
)
def test_a_picture_that_cannot_be_drawn_is_refused_before_the_work(
    given, tmp_path, capsys, networks, picture, sentence
):
    options, toml = given
    options = [*options[:-1], ",".join([toml] * networks), "--picture", str(tmp_path / picture)]
    assert risk.main(options) == 2
    assert sentence in capsys.readouterr().err and not (tmp_path / "out").exists()

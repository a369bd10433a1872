"""A network's thresholds: measured on films, chosen by box and trust, written into its TOML."""

import types

import numpy as np
import pytest

from hotpath.calib.errors import BadRun
from hotpath.runtime.networks import FOLDER, load_network
from hotpath_lab import thresholds
from hotpath_lab.thresholds import Row, best_of, figures, own_of, triples
from tests.support import blobs, tiny
from tests.support import clips as clip_files
from tests.support.described import toml_of

LOW, HIGH = (0.2, 0.3, 0.4), (0.4, 0.4, 0.8)


def film(truth, known=None):
    more = {} if known is None else {"known": np.array(known)}
    return types.SimpleNamespace(boxes=np.array(truth, float), **more)


def run(boxes, states, presence, found=()):
    claimed = [state == "tracked" for state in states]
    found = [index in found for index in range(len(states))]
    return {
        "boxes": boxes,
        "states": states,
        "certainty": presence,
        "claimed": claimed,
        "found": found,
    }


HERE, THERE, NAN = [0, 0, 10, 10], [100, 100, 10, 10], [np.nan] * 4


def test_each_figure_is_what_its_legend_says():
    truth = [HERE, HERE, HERE, HERE, HERE, NAN]
    boxes = [HERE, HERE, THERE, THERE, HERE, THERE]
    states = ["tracked", "tracked", "tracked", "lost", "unsure", "tracked"]
    result = run(boxes, states, [1, 0.9, 0.9, 0.1, 0.6, 0.7], found=[2, 5])
    table = figures([(result, film(truth))])
    # the overlap is whole in three of five frames, at 20 of the 21 thresholds
    assert table["auc"] == pytest.approx(3 / 5 * 20 / 21)
    assert table["loss_lost"] == pytest.approx(1 / 4)  # the first frame is left out
    assert table["right_tracked"] == pytest.approx(1 / 3)
    assert table["right_said"] == pytest.approx(1 / 2)
    assert table["beside"] == pytest.approx(1 / 2)
    assert (table["finds_right"], table["finds_wrong"]) == (0, 2)
    assert (table["tracked_wrong"], table["tracked_wrong_high"]) == (2, 1)


def test_where_no_answer_is_wrong_nothing_counts():
    truth, states = [HERE] * 4, ["tracked"] * 4
    result = run([HERE, HERE, THERE, HERE], states, [1] * 4)
    table = figures([(result, film(truth, [True, True, False, True]))])
    assert table["auc"] == pytest.approx(20 / 21) and table["tracked_wrong"] == 0


def rows(aucs, rights, wrong=(0, 0)):
    """A row of each set for LOW and HIGH."""
    return [
        Row("x", triple, place, {"auc": auc, "right_tracked": right, "tracked_wrong_high": high})
        for place in thresholds.CHOOSING
        for triple, auc, right, high in zip((LOW, HIGH), aucs, rights, wrong)
    ]


def test_the_best_box_wins_unless_its_word_is_worth_less():
    assert best_of(rows((0.70, 0.65), (0.950, 0.955))) == LOW
    assert best_of(rows((0.70, 0.65), (0.930, 0.955))) == HIGH
    public = Row("x", HIGH, "public", {"auc": 9.0, "right_tracked": 1.0})
    assert best_of([*rows((0.70, 0.65), (0.95, 0.95)), public]) == LOW  # it chooses nothing
    same = (0.70, 0.70), (0.95, 0.95)
    assert best_of(rows(*same, wrong=(9, 4))) == HIGH and best_of(rows(*same, wrong=(4, 9))) == LOW


@pytest.mark.parametrize("given", ["0.2,0.3", "a,b,c", "0.2,0.3,1.4", "0,0.3,0.4"])
def test_what_is_no_triple_is_refused(given):
    with pytest.raises(BadRun, match="search_lost_below"):
        triples(given)
    assert triples("0.2,0.3,0.4 0.4,0.4,0.8") == [LOW, HIGH]


def test_a_network_that_cannot_search_gets_no_thresholds(tmp_path):
    toml = str(blobs.write_network(tmp_path, "siamfc_015"))
    assert own_of(toml) == ()
    words = ["--networks", toml, "--clips", str(tmp_path), "--out", str(tmp_path / "out")]
    options = thresholds.parser().parse_args(words)
    with pytest.raises(BadRun, match="leave --only-own out"):
        thresholds.check_search(toml, [], options)
    with pytest.raises(BadRun, match="can't search"):
        thresholds.check_search(toml, [LOW], options)


def test_a_network_without_thresholds_gets_them(tmp_path):
    whole = toml_of("kestrel_small").read_text()
    for file in (*FOLDER.glob("kestrel_small_*.onnx"), *FOLDER.glob("kestrel_small-*.npz")):
        (tmp_path / file.name).symlink_to(file)
    toml = tmp_path / "added.toml"
    toml.write_text(
        "".join(r for r in whole.splitlines(True) if not r.startswith(thresholds.SEARCH))
    )
    clip_files.write_clip(tmp_path / "clips" / "one", *tiny.film(6))
    words = ["--networks", str(toml), "--clips", str(tmp_path / "clips")]
    words += ["--tried", "0.4,0.4,0.8", "--out", str(tmp_path / "out"), "--write"]
    assert own_of(str(toml)) == ()
    assert thresholds.main(words) == 0
    assert own_of(str(toml)) == HIGH


def test_the_command_tracks_with_each_triple_and_writes_the_best(tmp_path, capsys):
    for name in ("one", "two"):
        clip_files.write_clip(tmp_path / "clips" / name, *tiny.film(8))
    toml = tmp_path / "tiny.toml"
    tiny.write_network(tmp_path, tiny.watched(**dict(zip(thresholds.SEARCH, LOW))))
    words = ["--networks", str(toml), "--clips", str(tmp_path / "clips"), "--engine", "onnxruntime"]
    words += ["--tried", "0.4,0.4,0.8", "--out", str(tmp_path / "out"), "--write"]
    assert thresholds.main(words) == 0
    messages = capsys.readouterr()
    for words in ("0.2 0.3 0.4", "0.4 0.4 0.8", "The boxes are the same with all of them"):
        assert words in messages.out + messages.err
    written = load_network(toml)
    assert tuple(getattr(written, key) for key in thresholds.SEARCH) in (LOW, HIGH)

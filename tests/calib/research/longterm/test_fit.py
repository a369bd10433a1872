"""The fit of the search's thresholds: what it tracks, chooses and writes."""

import pytest

from hotpath.calib.research.longterm import fit
from hotpath.runtime.networks import FOLDER, load_network

pytest.importorskip("onnxruntime")


def run(place, halves, *more):
    arguments = ["--clips", *map(str, halves), "--films", str(place / "films.json")]
    arguments += ["--networks", str(place / "tiny.toml"), "--out", str(place / "out")]
    return fit.main([*arguments, "--lost", "0.4", "--look", "0.3", "--found", "0.6,0.99", *more])


def test_the_best_thresholds_are_written_and_nothing_is_tracked_twice(place, halves, capsys):
    toml = place / "tiny.toml"
    before = load_network(toml)
    assert before.found_above == 0
    assert run(place, halves) == 0
    assert load_network(toml).found_above == 0  # only where it is asked for
    kept = {path: path.stat().st_mtime_ns for path in (place / "out" / "runs").rglob("*.npz")}
    # a film and its clip with two combinations; the clip without the search, too
    assert len(kept) == 2 * 2 + 1
    assert run(place, halves, "--write") == 0
    after = {path: path.stat().st_mtime_ns for path in (place / "out" / "runs").rglob("*.npz")}
    assert after == kept
    said = capsys.readouterr().err
    assert "held out" in said
    (best,) = {line for line in said.splitlines() if line.endswith("best")}
    network = load_network(toml)
    written = network.search_lost_below, network.look_above, network.found_above
    assert written == tuple(map(float, best.split()[:3]))
    assert network.lost_below == before.lost_below


def test_a_clip_is_judged_by_what_is_best_on_the_others():
    """Where one clip wants other thresholds than all others, it is held out with theirs."""
    low, high = fit.Thresholds(0.4, 0.3, 0.6), fit.Thresholds(0.4, 0.3, 0.8)
    wins = {"a": low, "b": low, "c": high}
    measured = fit.Measured({name: [] for name in wins}, wins)

    def merit(measured, sources, one):
        return sum(measured.runs[source] == one for source in sources)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "merit", merit)
        choice = fit.held_out(measured, [high, low])
    assert choice == {"a": high, "b": high, "c": low}


def test_thresholds_are_replaced_in_both_forms_and_the_rest_of_the_files_stays(tmp_path):
    (tmp_path / "int8").mkdir()
    names = ("kestrel.toml", "int8/kestrel-int8.toml")
    for name in names:
        (tmp_path / name).write_text((FOLDER / name).read_text())
    thresholds = fit.Thresholds(0.11, 0.225, 0.3333)
    fit.write_all(tmp_path / "kestrel.toml", thresholds)
    for name in names:
        network = load_network(tmp_path / name)
        assert tuple(getattr(network, key) for key in fit.KEYS) == thresholds
        old, new = ((place / name).read_text().splitlines() for place in (FOLDER, tmp_path))
        changed = [(a, b) for a, b in zip(old, new) if a != b]
        assert len(old) == len(new) and len(changed) == 3
        for before, after in changed:
            assert before.split("=")[0] == after.split("=")[0]
            assert before.partition("#")[2] == after.partition("#")[2]


def test_what_makes_no_sense_is_said(place, halves, tmp_path, capsys):
    assert run(place, halves, "--found", "much") != 0
    assert "--found much: not numbers" in capsys.readouterr().err
    assert run(place, halves, "--found", "0.1") != 0
    assert "no thresholds to try" in capsys.readouterr().err
    (tmp_path / "bare.toml").write_text("[tracking]\n")
    with pytest.raises(fit.BadRun, match="has no lost_below"):
        fit.write(tmp_path / "bare.toml", fit.Thresholds(0.5, 0.5, 0.5))

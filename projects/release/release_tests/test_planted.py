"""The runs that show what the speed suite finds: their order, their records, what is planted."""

import json
import statistics

import pytest

from hotpath.deploy.fps import clips
from hotpath.runtime import load_tracker
from hotpath_release import planted
from hotpath_release.planted_worker import KINDS, slow_down
from tests.support import tiny


def record(load="idle", percent=0, decision="same", change=0.0):
    values = dict(load=load, percent=percent, kind="spin", decision=decision, change=change)
    return dict(values, low=change, high=change, rounds=5, seconds=9.0, time=1, reasons="")


@pytest.mark.parametrize("kind", KINDS)
def test_a_crop_takes_longer_by_what_is_planted(kind, tmp_path):
    film = clips.film(40)
    with load_tracker(tiny.write_network(tmp_path), recover=False, threads=1) as tracker:
        before = median_crop_ms(tracker, film)
        ms = 0.2 if kind == "window" else 1.0  # no window of this film takes longer
        slow_down(tracker, kind, ms)
        more = median_crop_ms(tracker, film) - before
    assert more > 0.2 * ms


def median_crop_ms(tracker, film):
    tracker.init(film.frames[0], film.box)
    taken = []
    for frame in film.frames[1:]:
        tracker.update(frame)
        taken.append(tracker.step_ms["crop"])
    return statistics.median(taken)


def test_a_stopped_command_goes_on_with_what_decides_most():
    everything = list(planted.jobs(20, []))
    assert len(everything) == 7 * 20
    assert {job[:2] for job in everything[:4]} == set(planted.ORDER[0])
    kinds = [kind for load, percent, kind in everything if (load, percent) == ("idle", 5)]
    assert all(kinds.count(kind) >= 6 for kind in KINDS)
    done = [record(load, percent) for load, percent, _ in everything[:37]]
    rest = list(planted.jobs(20, done))
    assert len(rest) == 7 * 20 - 37 and rest[0] == everything[37]


def test_the_page_counts_finds_accusations_and_refusals():
    records = [
        record(percent=5, decision=d, change=-0.071) for d in ("slower", "slower", "undecided")
    ]
    records += [record(), record(decision="slower", change=-0.05)]
    records += [record("busy", decision="invalid", change=None)]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in planted.table(records)]
    assert [row[:8] for row in rows] == [
        ["idle", "nothing", "", "2", "1", "1", "0", "0"],
        ["idle", "5 % slower", "", "3", "2", "0", "1", "0"],
        ["busy", "nothing", "", "1", "0", "0", "0", "1"],
    ]


def test_the_raw_runs_are_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(planted, "RAW", tmp_path / "page.csv")
    (tmp_path / "runs.jsonl").write_text(json.dumps(record(percent=10, decision="slower")) + "\n")
    assert planted.main(["--write", "--out", str(tmp_path)]) == 0
    head, row = (tmp_path / "page.csv").read_text().splitlines()
    assert head.startswith("load,percent,kind,decision") and row.startswith("idle,10,spin,slower")
    assert "| idle | 10 % slower |" in capsys.readouterr().out


def test_simulated_pairs_are_judged_as_the_page_says(tmp_path, monkeypatch):
    """Nothing is accused; of 40 slowdowns of 5 % all are found against a reference."""
    rows = planted.simulated()
    slower = {(how, slowdown): counts[0] for how, slowdown, counts in rows}
    assert [slower[how, 1.0] for how in ("reference of 30 rounds", "in turns")] == [0, 0]
    assert slower["reference of 30 rounds", 1.05] == 40
    page = planted.PAGE.read_text(encoding="utf-8")
    monkeypatch.setattr(planted, "PAGE", tmp_path / "page.md")
    planted.PAGE.write_text(page, encoding="utf-8")
    planted.write_simulated(rows)
    assert planted.PAGE.read_text(encoding="utf-8") == page

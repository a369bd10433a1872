"""Comparing evidence: what is refused, what is said, and two commits that take turns."""

import copy
import pathlib
import shutil

import numpy as np
import pytest

from hotpath.deploy.fps import cases, checkout, compare, evidence, measure, speed_report
from hotpath.deploy.fps import fps_command as command
from hotpath.deploy.fps.fps_command import main
from tests.support.tiny import write_network


@pytest.fixture(autouse=True)
def own_references(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "OUT", str(tmp_path / "out"))
    monkeypatch.setattr(compare, "OWN", tmp_path / "own")
    return tmp_path / "own"


def made_up(median_ms=2.0, rounds=6, seed=0, alone_ms=None):
    """Evidence of a run that never was."""
    random = np.random.RandomState(seed)

    def times(median, count):
        return (median * np.exp(0.01 * random.randn(count))).tolist()

    state = {
        "board": "jetson_orin_nano",
        "model": "Orin Nano",
        "release": "36.4.3",
        "power_mode": "MAXN_SUPER",
        "locked": {"gpu": True, "emc": True, "cpu": None},
        "sample": {"gpu_clock_max_hz": 1020000000},
    }
    result = {
        "network": "kestrel",
        "network_sha256": "ab" * 32,
        "precision": "fp16",
        "engine": {"engine": "tensorrt", "version": "10.3"},
        "kernels": "cuda",
        "threads": 1,
        "boxes": [[10.0, 10.0, 20.0, 20.0]],
        "rounds": [{"ms": {"total": times(median_ms, 100)}} for _ in range(rounds)],
    }
    for each in result["rounds"] if alone_ms else []:
        each["ms"]["alone"] = times(alone_ms, 30)
    return {
        "format": evidence.FORMAT,
        "run": {
            "id": f"r{seed}",
            "started": f"2026-01-0{seed + 1}T00:00:00Z",
            "commit": f"{seed:040d}",
            "dirty": False,
            "complete": True,
            "rounds": rounds,
        },
        "before": state,
        "after": copy.deepcopy(state),
        "samples": [],
        "film": "cd" * 32,
        "results": [result],
    }


def run_of(**more):
    """A run with enough rounds for a reference."""
    return made_up(rounds=compare.REFERENCE_ROUNDS, **more)


TABLE = """
| network | precision | engine   |   FPS | median ms | p95 ms | p99 ms | alone ms |
| ------- | --------- | -------- | ----: | --------: | -----: | -----: | -------: |
| kestrel | fp16      | tensorrt | 500.4 |     1.999 |  2.034 |  2.046 |          |
| kestrel | fp16      | tensorrt |  83.4 |    11.991 | 12.201 | 12.274 |    8.991 |
"""


def test_a_report_has_columns_of_what_was_timed_with_numbers_on_the_right():
    plain = dict(made_up(median_ms=2.0), invalid=[])
    both = plain["results"] + made_up(median_ms=12.0, alone_ms=9.0)["results"]
    assert speed_report.describe_run(dict(plain, results=both)).endswith(
        f": ok\n{TABLE}\n{speed_report.ALONE}\n"
    )
    assert "alone" not in speed_report.describe_run(plain)
    assert "|" not in speed_report.describe_run(dict(plain, results=[]))


def test_a_command_that_is_nearly_right_is_named(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["compar", "a.json", "b.json"])
    assert ended.value.code == 2 and "did you mean compare?" in capsys.readouterr().err


def stored(tmp_path, *runs):
    paths = [str(tmp_path / f"{number}.json") for number in range(len(runs))]
    for found, path in zip(runs, paths):
        evidence.write_evidence(found, pathlib.Path(path))
    return paths


@pytest.fixture
def compared(tmp_path, capsys):
    """A function that compares two runs by the command: (exit code, what it printed)."""

    def run(base, new):
        code = main(["compare", *stored(tmp_path, base, new)])
        return code, "".join(capsys.readouterr())

    return run


@pytest.mark.parametrize(
    "median_ms, rounds, word, code",
    [
        (2.0, 6, "same speed: ", 0),
        (2.2, 6, "slower: -9", 1),
        (1.8, 6, "faster: +1", 0),
        (2.2, 5, "undecided: fewer than six", 4),
    ],
)
def test_exit_codes_follow_the_decision(median_ms, rounds, word, code, compared):
    got, told = compared(made_up(rounds=rounds), made_up(median_ms, rounds, seed=1))
    assert got == code and f"kestrel fp16 tensorrt: {word}" in told
    assert told.splitlines()[-1].startswith(f"hotpath fps: {word}")


def test_of_two_networks_the_worst_one_is_the_answer(compared):
    def two(ours, others, seed):
        first, second = made_up(ours, seed=seed), made_up(others, seed=seed)
        other = dict(second["results"][0], network="other")
        return dict(first, results=[*first["results"], other])

    code, told = compared(two(2.0, 2.0, 0), two(1.8, 2.2, 1))
    assert code == 1 and "kestrel fp16 tensorrt: faster" in told
    assert told.splitlines()[-1].startswith("hotpath fps: slower: -9")
    assert told.splitlines()[-1].endswith("(other fp16 tensorrt)")


def _set(*keys):
    """A change of one value deep in the evidence."""

    def change(found):
        inner = found
        for key in keys[:-2]:
            inner = inner[key]
        inner[keys[-2]] = keys[-1]

    return change


def _freed(found):
    for end in ("before", "after"):
        found[end]["locked"]["gpu"] = False


def _sampled(before, *samples):
    """A change: what the board told before the run, and during it."""

    def change(found):
        found["before"]["sample"].update(before)
        found["samples"] = [dict(sample) for sample in samples]

    return change


def _counted(key):
    return _sampled({key: 1}, {key: 4})


@pytest.mark.parametrize(
    "change, words",
    [
        (_counted("oc1_undervoltage_count"), "3 under-voltage"),
        (_counted("oc2_average_overcurrent_count"), "3 average over-current"),
        (_counted("oc3_peak_overcurrent_count"), None),
        (
            _sampled({"power_mode_id": 2, "power_mode_name": "MAXN_SUPER"}, {"power_mode_id": 1}),
            "the power mode changed: MAXN_SUPER, 1",
        ),
        (_sampled({}, {"cooling_gpu_state": 2}), "cooling device gpu was active"),
        (_sampled({}, {"gpu_clock_hz": 970000000}), None),
        (
            _sampled({}, {"gpu_clock_hz": 1020000000}, {"gpu_clock_hz": 960000000}),
            "gpu_clock was below 95% of its lock in 1 of 2 samples",
        ),
        (_set("before", "idle_sample", {"gpu_load_percent": 43.0}), "43% busy"),
        (_set("after", "locked", {}), "clocks were locked or freed"),
        (_sampled({}, {"other_cores": 0.1}), None),
        (_sampled({}, {"other_cores": 1.0}), "other processes kept 1.0 processors busy"),
    ],
)
def test_a_run_on_a_hot_or_busy_board_is_never_compared(change, words, compared):
    """It is slower without a cause in the commit: 10 % here, which a board at rest calls slower."""
    slow = made_up(2.2, seed=1)
    change(slow)
    code, told = compared(made_up(), slow)
    assert code == (1 if words is None else 3) and (words or "slower: -9") in told


@pytest.mark.parametrize(
    "change, words",
    [
        (_set("before", "board", "jetson_nano"), "board is jetson_orin_nano and jetson_nano"),
        (_set("before", "model", "Orin Nano 4GB"), "model is Orin Nano and Orin Nano 4GB"),
        (_set("before", "power_mode", "15W"), "mode is MAXN_SUPER and 15W"),
        (_freed, "lock of the gpu clock is held and free"),
        (_set("before", "sample", "gpu_clock_max_hz", 625000000), "highest gpu clock"),
        (_set("film", "0" * 64), "the film is"),
        (_set("results", 0, "network_sha256", "0" * 64), "network_sha256 is abab"),
        (_set("results", 0, "precision", "int8"), "no network, precision and engine"),
        (_set("results", 0, "engine", {"engine": "tensorrt", "version": "8.5"}), "10.3 and 8.5"),
        # a file of another form
        (lambda e: e.pop("samples"), "lacks 'samples'"),
        (lambda e: e.pop("film"), "lacks 'film'"),
        (lambda e: e["run"].pop("id"), "lacks 'id'"),
        (lambda e: e["results"][0].pop("boxes"), "lacks 'boxes'"),
        (_set("results", 0, "engine", "tensorrt"), "can't be read"),
        (_set("results", 0, "rounds", [{"ms": {"total": []}}]), "can't be read"),
        (_set("results", 0, "rounds", 0, "ms", "total", ["two"]), "can't be read"),
        (_set("format", 1), "another version of Hotpath wrote it; measure"),
    ],
)
def test_what_differs_is_named_and_refused(change, words, compared):
    other = made_up(seed=1)
    change(other)
    code, told = compared(made_up(), other)
    assert code == 2 and words in told


@pytest.mark.parametrize("data", ["[" * 200000, "\0" * ((1 << 26) + 1), "{}", "["])
def test_a_strangers_evidence_that_is_none_is_one_sentence(tmp_path, data, capsys):
    (tmp_path / "a.json").write_text(data)
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "a.json")]) == 2
    told = capsys.readouterr().err
    assert "a.json" in told and "Traceback" not in told


@pytest.mark.parametrize(
    "frame, alone, decision",
    [(1.06, 1.06, "same"), (1.06, 1.0, "slower"), (0.94, 0.94, "same"), (1.0, 0.94, "slower")],
)
def test_frames_are_measured_by_the_network_alone(frame, alone, decision):
    base = made_up(alone_ms=1.5)
    new = made_up(2.0 * frame, seed=1, alone_ms=1.5 * alone)
    ((_, found),) = compare.compare(base, new)
    assert found.decision == decision
    assert found.machine == pytest.approx(1 / alone - 1, abs=0.005)
    assert f"{found.machine:+.1%}" in compare.sentence(found)


@pytest.mark.parametrize(
    "new, number, decision",
    [
        (made_up(2.2, seed=1), "r1", "slower"),
        (made_up(2.0, seed=1, alone_ms=1.7), "r0", "same"),  # took turns with the other one
    ],
)
def test_without_the_network_alone_and_in_turns_frames_are_compared(new, number, decision):
    new["run"]["id"] = number
    ((_, found),) = compare.compare(made_up(alone_ms=1.5), new)
    assert found.decision == decision and found.machine is None


@pytest.mark.parametrize(
    "moved, alone_ms, code, words",
    [
        (0.1, 1.5, 0, "same speed"),
        (20, 1.5, 3, "the boxes differ"),
        (0, 1.9, 3, "the network alone takes 1.27 times"),
        (0, 1.2, 3, "the network alone takes 0.80 times"),
    ],
)
def test_a_board_of_another_speed_or_boxes_can_only_be_kept(
    moved, alone_ms, code, words, compared, tmp_path, capsys
):
    now = run_of(seed=1, alone_ms=alone_ms)
    now["results"][0]["boxes"][0][0] += moved
    got, told = compared(run_of(alone_ms=1.5), now)
    assert got == code and words in told and ("`hotpath fps save`" in told) == (code == 3)
    assert main(["save", *stored(tmp_path, now)]) == 0
    assert "MAXN_SUPER" in capsys.readouterr().out  # mode, clocks and commit are said
    reference = compare.reference_of(now["before"])
    assert reference["run"]["id"] == "r1" and compare.compare(reference, now)
    assert compare.reference_of(dict(now["before"], model="Orin NX")) is None


def test_a_run_that_proves_too_little_never_replaces_a_reference(own_references, tmp_path, capsys):
    hot, broken_off = run_of(seed=1), run_of(seed=2)
    hot["after"]["sample"]["cooling_gpu_state"] = 1
    broken_off["run"]["complete"] = False
    good, *poor = stored(tmp_path, run_of(), hot, broken_off, made_up(seed=3))
    assert main(["save", good]) == 0
    before = (own_references / "jetson_orin_nano.json").read_bytes()
    for path in poor:
        assert main(["save", path]) == 2
        assert "`hotpath fps --rounds 30" in capsys.readouterr().err
    assert (own_references / "jetson_orin_nano.json").read_bytes() == before
    assert main(["save", "--out", str(tmp_path / "empty")]) == 2
    assert "run `hotpath fps` first" in capsys.readouterr().err


@pytest.fixture
def in_git():
    if shutil.which("git") is None or checkout.commit_of(checkout.CHECKOUT)[0] is None:
        pytest.skip("the tests do not run in a git checkout")


def test_two_checkouts_take_turns_each_with_its_own_code(in_git, tmp_path, monkeypatch):
    """A second tree whose frame takes 200 ms longer, each in a process of its own."""
    tree = tmp_path / "tree"
    shutil.copytree(checkout.CHECKOUT + "/hotpath", str(tree / "hotpath"))
    tracker = tree / "hotpath" / "runtime" / "tracker" / "frame.py"
    text = tracker.read_text(encoding="utf-8")
    slow = text.replace("    began = time.perf", "    time.sleep(0.2)\n    began = time.perf")
    assert slow != text
    tracker.write_text(slow, encoding="utf-8")
    monkeypatch.setattr(measure, "FILM", 21)
    case = cases.SpeedCase(str(write_network(tmp_path)), "fp32", "auto")
    settings = measure.SpeedSettings([case], frames=20, rounds=1, warm_s=0.0)
    sides = [measure.Side(tmp_path / "base.json"), measure.Side(tmp_path / "new.json", str(tree))]
    pair = measure.SpeedRun(settings, sides, say=lambda text: None).measure()
    assert pair[0]["run"]["id"] == pair[1]["run"]["id"]
    assert [evidence.read_evidence(side.path) for side in sides] == pair
    ours, slow_ones = (np.concatenate(compare.totals(e["results"][0])) for e in pair)
    assert slow_ones.min() >= 200 > np.median(ours)  # milliseconds; a busy computer adds tens


def test_a_worktree_is_of_a_known_commit_and_gone_afterwards(in_git, tmp_path, capsys):
    assert main(["--against", "no-such-commit", "--out", str(tmp_path)]) == 2
    assert "a commit of this" in capsys.readouterr().err
    with checkout.worktree("HEAD") as tree:
        assert pathlib.Path(tree, "runtime", "loading.py").is_file()
        assert checkout.commit_of(tree)[0] == checkout.commit_of(checkout.CHECKOUT)[0]
    assert tree not in checkout.git(["worktree", "list"])

"""A run's folder holds what it takes to go on with it and to compare it."""

import json
import shutil

import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")
pytest.importorskip("onnxruntime")

from calib.research import runs  # noqa: E402  (after the check for torch)
from calib.research.train import __main__ as train  # noqa: E402
from calib.research.train import record  # noqa: E402
from calib.research.train.record import read_log  # noqa: E402
from tests.support.training import write_training  # noqa: E402


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Pictures, a teacher, and the folder of a short run."""
    folder = tmp_path_factory.mktemp("world")
    write_training(folder)
    given = ["--images", folder / "images", "--teacher", folder / "tiny.toml", "--seed", 5]
    given += ["--out", folder / "run", "--shape", "tiny", "--batch", 8, "--ring", 64, "--held", 16]
    given += ["--stages", "backbone", "--pairs", "backbone=64"]
    assert train.main([str(each) for each in given]) == 0
    return folder


def judged(folder):
    return [line for line in read_log(folder / "log.jsonl") if line.get("event") == "judged"]


def test_the_record_names_seed_versions_commit_and_data(world):
    kept = record.read(world / "run")
    (start,) = kept["history"]
    assert kept["seed"] == 5 and kept["options"]["shape"] == "tiny"
    assert torch.__version__.startswith(start["versions"]["torch"].split("+")[0])
    assert start["data"]["images"]["files"] == 60
    assert (world / "run" / "checkpoints" / "backbone-64.pt").is_file()
    assert start["git"] is None or len(start["git"]) >= 40


def test_a_run_that_was_moved_goes_on_by_its_folder_alone(world, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(str(world / "run"), str(moved))
    more = ["--stages", "backbone", "head", "--pairs", "head=32"]
    assert train.main(["--resume", str(moved), *more]) == 0
    assert (judged(moved)[-1]["stage"], judged(moved)[-1]["pairs"]) == ("head", 32)
    kept = record.read(moved)
    assert len(kept["history"]) == 2 and kept["options"]["pairs"]["head"] == 32


def test_a_run_that_is_not_there_is_one_sentence(world, capsys):
    assert train.main(["--resume", f"{world}/nowhere"]) == 2
    assert "is not there; name the folder of a run" in capsys.readouterr().err


def test_what_differs_from_the_start_is_told(world, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(str(world / "run"), str(moved))
    kept = json.loads((moved / "run.json").read_text())
    kept["history"][0]["versions"]["numpy"] = "1.0"
    kept["history"][0]["data"]["images"] = {"files": 3, "sha256": "0"}
    (moved / "run.json").write_text(json.dumps(kept))
    assert train.main(["--resume", str(moved)]) == 0
    told = [
        line["what"] for line in read_log(moved / "log.jsonl") if line.get("event") == "differs"
    ]
    assert len(told) == 2 and "numpy was 1.0, here it is " in told[0]
    assert "--images differ: 3 then, 60 here" in told[1]


def test_runs_are_listed_and_compared(world, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(str(world / "run"), str(other))
    kept = json.loads((other / "run.json").read_text())
    kept["options"]["lr"]["backbone"] = 0.5
    (other / "run.json").write_text(json.dumps(kept))
    with open(str(other / "log.jsonl"), "a") as file:
        file.write('{"stage": "head", "pairs": 96, "seconds": 7200, "event": "judged", ')
        file.write('"os_clips2": 0.71, "se_clips2": 0.02}\n{"half')
    assert runs.main([str(world / "run"), str(other)]) == 0
    told = capsys.readouterr().out
    assert "clips2 0.710 ± 0.020" in told and "--lr: " in told and "--out" not in told
    assert [line.split()[2] for line in told.splitlines()[1:3]] == ["backbone", "head"]
    assert runs.main([str(tmp_path / "nowhere")]) == 2
    assert "is not there" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert runs.main([str(tmp_path / "empty")]) == 2
    assert "has no run" in capsys.readouterr().err

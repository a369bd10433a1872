"""A training's checkpoints, chosen by whole tracks."""

import csv

import pytest

torch = pytest.importorskip("torch")
for module in ("optuna", "got10k", "matplotlib"):
    pytest.importorskip(module)

from lab_tests.test_benchmarks import write_otb  # noqa: E402

from hotpath.base import toml  # noqa: E402
from hotpath.runtime.errors import BadNetwork  # noqa: E402
from hotpath_research import select  # noqa: E402
from hotpath_research.train.network import Kestrel  # noqa: E402
from tests.calib.test_one_step_overlap import write_square  # noqa: E402


def write_checkpoints(folder):
    """Three of a run, of which one tracks: ``box`` grows with the pairs of the others."""
    folder.mkdir(parents=True)
    for name, seed in (("head-100", 1), ("head-200", 2), ("features-100", 3)):
        torch.manual_seed(seed)
        network = Kestrel("tiny", 96, 16, 8, 1).eval()
        state = {"config": network.config, "average": network.state_dict()}
        torch.save(state, folder / (name + ".pt"))
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("select")
    (folder / "clips").mkdir()
    for name in ("one", "two"):
        write_square(folder / "clips" / name)
    write_checkpoints(folder / "run" / "checkpoints")
    return folder


def command(world, *more):
    given = [world / "run" / "checkpoints", "--clips", world / "clips", "--out", world / "out"]
    return [*map(str, given), "--best", "1", "--trials", "2", "--engine", "onnxruntime", *more]


def test_all_are_ranked_on_one_half_and_the_best_on_the_other(world, capfd):
    assert select.main(command(world)) == 0
    with open(world / "out" / "select.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["checkpoint"].split("/")[-1] for row in rows] != [] and len(rows) == 2
    assert float(rows[0]["auc_first"]) >= float(rows[1]["auc_first"])
    assert rows[0]["auc_other"] and rows[0]["auc_tuned"] and not rows[1]["auc_other"]
    assert (world / "out" / "select.png").stat().st_size > 1000
    told = capfd.readouterr()
    assert "features" in told.err and "| head" not in told.err  # left out, with what to do
    boxes = sorted((world / "out" / "boxes").rglob("*.json"))
    before = [path.stat().st_mtime_ns for path in boxes]
    assert select.main(command(world)) == 0  # goes on: nothing is tracked again
    assert [path.stat().st_mtime_ns for path in boxes] == before


def test_found_numbers_are_tried_on_all_checkpoints(world, capfd):
    assert select.main(command(world, "--all")) == 0
    with open(world / "out" / "select.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and all(float(row["auc_all"]) >= 0 for row in rows)
    tomls = sorted((world / "out" / "networks").glob("*-all.toml"))
    numbers = [toml.read(path, BadNetwork)["tracking"] for path in tomls]
    tuned = next((world / "out" / "networks").glob("*-tuned.toml"))
    assert len(numbers) == 2
    assert all(one == toml.read(tuned, BadNetwork)["tracking"] for one in numbers)
    assert select.main(command(world, "--all", "--trials", "0")) == 2
    assert "--trials 1 or more" in capfd.readouterr().err


def test_the_best_are_measured_on_a_benchmark(world, tmp_path):
    for name in ("Biker", "Car1"):
        write_otb(tmp_path / "otb" / name, 8)
    more = ["--benchmark", "otb50", "--data", str(tmp_path / "otb"), "--trials", "0"]
    assert select.main(command(world, *more, "--out", str(tmp_path / "out"))) == 0
    with open(tmp_path / "out" / "select.csv") as file:
        best, other = csv.DictReader(file)
    assert 0 <= float(best["auc_benchmark"]) <= 1 and not other["auc_benchmark"]
    assert len(list((tmp_path / "out" / "otb50").rglob("Biker.json"))) == 1


def test_checkpoints_of_features_take_the_head_that_is_named(world):
    head = world / "run" / "checkpoints" / "head-200.pt"
    tomls = select.networks_of(
        select.parser().parse_args(command(world, "--head", str(head))), world / "networks"
    )
    assert len(tomls) == 3 and all(toml.is_file() for toml in tomls.values())


@pytest.mark.parametrize(
    "more, what",
    [(["--best", "0"], "--best"), (["--benchmark", "otb100"], "--data")],
)
def test_options_that_can_not_be_are_refused(world, capfd, more, what):
    assert select.main(command(world, *more)) == 2
    assert what in capfd.readouterr().err


def test_a_folder_without_checkpoints_is_named(world, tmp_path, capfd):
    (tmp_path / "empty").mkdir()
    given = [str(tmp_path / "empty"), "--clips", str(world / "clips"), "--out", str(tmp_path)]
    assert select.main(given) == 2
    assert "empty" in capfd.readouterr().err

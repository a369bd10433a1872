"""Loading a network: which arguments are taken, and what it says about them."""

import ast
import os
import re
import sys
import types
from functools import partial
from pathlib import Path

import pytest

import hotpath
from hotpath.boards import load_board
from hotpath.kernels import cpu
from hotpath.runtime import load_targets, load_tracker, loading, option_types
from hotpath.runtime import options as options_module
from hotpath.runtime.errors import BadNetwork, BadOption
from hotpath.runtime.options import Options
from hotpath.runtime.targets import targets
from tests.runtime.search.test_redetector import THRESHOLDS
from tests.support import ROOT, run, tiny
from tests.support.errors import refusal


@pytest.mark.parametrize("load", (load_tracker, load_targets))
def test_as_many_threads_as_cores_are_used_and_more_are_refused(tmp_path, load):
    toml = tiny.write_network(tmp_path)
    cores = len(os.sched_getaffinity(0))
    with load(toml, engine="onnxruntime", threads=cores) as loaded:
        assert loaded.engine.threads == cores
    for threads in (cores + 1, 1000):
        with refusal(BadOption, "too many") as refused:
            load(toml, engine="onnxruntime", threads=threads)
        assert f"threads is {threads}," in str(refused.value)
        assert str(refused.value).endswith(f"give at most {cores}")


@pytest.mark.parametrize("load", (load_tracker, load_targets))
@pytest.mark.parametrize(
    "error, told, option, values",
    [
        (BadOption, "threads must be a whole number above 0", "threads", (0, -1, 1.5, "2", True)),
        (BadNetwork, "networks_dir must be the path of a folder, not 5", "networks_dir", (5,)),
        (BadOption, "log must be a function of one sentence", "log", (True, "log.txt")),
        (BadOption, "recover must be true or false, not 'no'", "recover", ("no",)),
    ],
)
def test_an_option_that_cannot_be_is_refused(load, error, told, option, values):
    for value in values:
        with pytest.raises(error, match=told):
            load(**{option: value})


@pytest.mark.parametrize(
    "call, hint",
    [
        (
            partial(load_tracker, engin="x"),
            "load_tracker takes no argument engin; did you mean engine?",
        ),
        (
            partial(load_targets, net="x"),
            "load_targets takes no argument net; did you mean net",
        ),
        (
            partial(hotpath.track, "x.mp4", boxx=1),
            "track takes no argument boxx; did you mean box?",
        ),
        (partial(load_tracker, zoom=2), "takes no argument zoom; there are: network, engine, "),
    ],
)
def test_an_option_of_no_name_is_answered_by_the_names_that_there_are(call, hint):
    with pytest.raises(TypeError, match=re.escape(hint)):
        call()


@pytest.mark.skipif(sys.version_info < (3, 7), reason="Python 3.6 lists what a module imports")
def test_completion_shows_the_public_names_and_nothing_else():
    shown = dir(hotpath)
    assert {"Box", "Targets", "Track", "Tracker", "interop", "load_tracker", "track"} <= set(shown)
    assert set(hotpath.__all__) <= set(shown) and all(hasattr(hotpath, name) for name in shown)
    assert not {"Any", "canonical", "require", "Options"} & set(shown)


def test_a_tracker_and_targets_say_what_they_follow(tmp_path):
    pictures, boxes = tiny.film(2)
    tracker = load_tracker(tiny.write_network(tmp_path))
    assert repr(tracker) == "<Tracker tiny, no target>"
    tracker.init(pictures[0], (40, 50, 60.4, 48))
    assert repr(tracker) == "<Tracker tiny, target at 40,50,60,48>"
    tracker.suggest((10, 10, 40, 40))  # as init takes a box
    tracker.suggest([(10, 10, 40, 40), (50, 50, 40, 40)])
    tracker.close()
    assert repr(tracker) == "<Tracker tiny, closed>"
    with load_targets(tmp_path / "tiny.toml") as targets:
        targets.add(pictures[0], (40, 50, 60.4, 48))
        assert repr(targets) == "<Targets tiny, 1 target>"
    assert repr(targets) == "<Targets tiny, closed>"


def test_a_detector_that_is_no_function_is_refused(tmp_path):
    with load_targets(tiny.write_network(tmp_path)) as targets:
        for detect, every in (("yolox_nano", 10), (print, 0)):
            with refusal(BadOption, "wrong value"):
                targets.find_with(detect, every)


def test_editors_know_every_option_with_its_type():
    files = Path(options_module.__file__), Path(option_types.__file__)
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    fields = {}
    for kind in (node for node in nodes if isinstance(node, ast.ClassDef)):
        annotated = (each for each in kind.body if isinstance(each, ast.AnnAssign))
        fields[kind.name] = {each.target.id: ast.dump(each.annotation) for each in annotated}
    first, *others = fields["Options"].items()
    assert first[0] == "network" and fields["Keywords"] == dict(others)


@pytest.mark.parametrize("load", (load_tracker, load_targets))
def test_every_option_arrives_under_its_own_name(load, monkeypatch):
    given, asked = {name: object() for name in Options._fields}, []
    monkeypatch.setattr(loading, "open_tracker", asked.append)
    monkeypatch.setattr(targets, "open_targets", asked.append)
    load(**given)
    assert [options._asdict() for options in asked] == [given]


def create_on(board, tmp_path, **options):
    """A tracker of a network that can search, as a bundle for a board gives it."""
    toml = tiny.write_network(tmp_path, tiny.watched(**THRESHOLDS))
    loaded = loading.load(Options(toml, engine="onnxruntime"))
    loaded.engine.bundle = types.SimpleNamespace(board=board)
    return loading.create_tracker(loaded.network, loaded.engine, cpu.load(), Options(**options))


@pytest.mark.parametrize("board", ("pynq_z2", "kv260", "jetson_orin_nano", "host"))
def test_the_boards_profile_says_whether_to_search(tmp_path, board):
    searches = load_board(board).search["default"] == "search"
    assert create_on(board, tmp_path).searches is searches
    assert create_on(board, tmp_path, recover=True).searches
    assert not create_on(board, tmp_path, recover=False).searches


def test_a_loss_is_judged_unless_the_profile_leaves_it_out(tmp_path):
    assert (
        create_on("pynq_z2", tmp_path).target.redetector is None
    )  # it learns nothing, and knows no loss
    assert create_on("pynq_z2", tmp_path, recover=False).target.redetector is not None
    assert create_on("host", tmp_path, recover=False).target.redetector is not None


def test_no_recover_says_so_where_nothing_is_searched(tmp_path, monkeypatch):
    messages = []
    create_on("host", tmp_path, recover=False, log=messages.append)
    assert not messages
    monkeypatch.setattr(loading, "why_no_search_on", lambda device: "it can't be lost")
    create_on("host", tmp_path, recover=False, log=messages.append)
    assert messages == ["recover=False changes nothing: it can't be lost"]


def test_without_a_bundle_the_profile_is_a_computers(tmp_path):
    loaded = loading.load(Options(tiny.write_network(tmp_path), engine="onnxruntime"))
    assert loading.board_of(loaded.engine).name == "host"
    loaded.engine.bundle = types.SimpleNamespace(board="a_board_of_ones_own")
    assert loading.board_of(loaded.engine).name == "host"
    loaded.engine.device = object()
    assert loading.board_of(loaded.engine).name == "nvidia_gpu"


@pytest.mark.parametrize(
    "given, recover, chooses",
    [({}, True, True), ({"peak_share": 0.0}, True, False), ({}, False, False)],
)
def test_what_searches_chooses_among_peaks_by_default(tmp_path, given, recover, chooses):
    toml = tiny.write_network(tmp_path, tiny.watched(**THRESHOLDS, **given))
    with load_tracker(toml, engine="onnxruntime", recover=recover) as tracker:
        assert tracker.searches is recover
        pictures, boxes = tiny.film(2)
        tracker.init(pictures[0], boxes[0])
        (request,) = tracker.target.requests(pictures[1], pictures[1].shape)
    assert (request.prior.most > 1) is chooses


NO_COMPILER = """
import sys, warnings
from hotpath.kernels.cpu import build
build.COMPILERS = ()
import hotpath
hotpath.{call}, engine="onnxruntime").close()
"""


@pytest.mark.parametrize(
    "call",
    [
        "load_tracker(sys.argv[1]",
        "load_targets(sys.argv[1]",
        "track(sys.argv[2], box=eval(sys.argv[3]), network=sys.argv[1]",
    ],
    ids=["load_tracker", "load_targets", "track"],
)
def test_slow_kernels_are_a_warning_that_says_what_to_install(tmp_path, call):
    """A program in a container without a compiler, such as python:slim."""
    toml = tiny.write_network(tmp_path)
    pictures, boxes = tiny.film(2)
    tiny.write_pictures(tmp_path / "frames", pictures)
    (tmp_path / "own.py").write_text(NO_COMPILER.format(call=call))
    words = [sys.executable, tmp_path / "own.py", toml, tmp_path / "frames", tuple(boxes[0])]
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    done = run(words, env=environment)
    assert done.returncode == 0, done.stderr
    messages = done.stderr.splitlines()
    assert (
        "own.py:6: SlowKernels: no C++ compiler; run `" in messages[0]
        and "2 to 3 times" in messages[0]
    )
    assert done.stderr.count("SlowKernels") == 1
    refused = run([sys.executable, "-W", "error", *words[1:]], env=environment)
    assert refused.returncode == 1 and "SlowKernels" in refused.stderr


def test_the_command_line_says_once_that_kernels_are_slow(tmp_path):
    toml = tiny.write_network(tmp_path)
    pictures, boxes = tiny.film(3)
    tiny.write_pictures(tmp_path / "frames", pictures)
    code = (
        "from hotpath.kernels.cpu import build; build.COMPILERS = ();"
        "from hotpath.app.track_command import main; main()"
    )
    box = ",".join(map(str, boxes[0]))
    words = ["--network", toml, "--video", tmp_path / "frames", "--box", box, "--no-show"]
    done = run([sys.executable, "-c", code, *words, "--engine", "onnxruntime"], cwd=str(ROOT))
    assert done.stderr.count("no C++ compiler") == 1 and "SlowKernels" not in done.stderr

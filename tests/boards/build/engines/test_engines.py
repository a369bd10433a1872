"""A board's engine is looked up by name, where engines are known."""

import pytest

from boards import load_board, names
from boards.build import engines
from boards.errors import BuildFailed

PROFILE = """
title = "A board"
family = "computer"
engine = "{}"
[precision]
exists = ["fp32"]
default = "fp32"
"""


def board(tmp_path, engine):
    path = tmp_path / "mine.toml"
    path.write_text(PROFILE.format(engine), encoding="utf-8")
    return load_board(path)


@pytest.mark.parametrize("name", names())
def test_every_profile_names_an_engine_that_exists(name):
    assert callable(engines.build_of(load_board(name)))


def test_an_engine_that_does_not_exist_is_answered_with_the_near_one(tmp_path):
    with pytest.raises(BuildFailed, match="'tensort' is no file of .*did you mean tensorrt"):
        engines.build_of(board(tmp_path, "tensort"))


def test_an_engine_of_its_own_file_is_built_by_that_file(tmp_path):
    assert engines.build_of(board(tmp_path, "overlay")).__module__.endswith("engines.overlay")


def test_a_new_engine_takes_the_networks_own_files_with_nothing_edited(tmp_path, monkeypatch):
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "abacus.py").write_text(
        "from runtime.engines import base\n"
        "class Engine(base.Engine):\n"
        "    name, runs_files = 'abacus', True\n"
    )
    monkeypatch.setattr(engines.engines, "__path__", list(engines.engines.__path__) + [str(folder)])
    assert engines.build_of(board(tmp_path, "abacus")) is engines.build_files

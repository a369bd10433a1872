"""A board's engine is looked up by name, where engines are known."""

import pytest

from hotpath.boards import load_board, names
from hotpath.deploy.bundles import engines
from hotpath.deploy.errors import BuildFailed
from tests.support.errors import refusal


def build_of(engine):
    return engines.build_of(load_board("host")._replace(engine=engine))


@pytest.mark.parametrize("name", names())
def test_every_profile_names_an_engine_that_exists(name):
    assert callable(engines.build_of(load_board(name)))


def test_an_engine_is_built_by_its_file_and_a_near_name_is_told():
    assert build_of("overlay").__module__.endswith("engines.overlay")
    with refusal(BuildFailed, "unknown engine"):
        build_of("tensort")


def test_a_new_engine_takes_a_networks_own_files_unedited(tmp_path, monkeypatch):
    (tmp_path / "abacus.py").write_text(
        "from hotpath.runtime.engines import base\n"
        "class AbacusEngine(base.Engine):\n"
        "    name, runs_files = 'abacus', True\n"
        "ENGINE = AbacusEngine\n"
    )
    monkeypatch.setattr(engines.engines, "__path__", [*engines.engines.__path__, str(tmp_path)])
    assert build_of("abacus") is engines.build_files

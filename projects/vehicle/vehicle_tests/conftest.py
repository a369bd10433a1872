"""Tests note no turns of cameras in the user's folder."""

import pytest

from hotpath_vehicle.aim import restarts


@pytest.fixture(autouse=True)
def own_turns(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(restarts, "FOLDER", str(tmp_path_factory.mktemp("turns")))

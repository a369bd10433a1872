"""What ships prepared for boards is replaced on purpose alone."""

import shutil

import pytest

pytest.importorskip("hotpath_research")

from hotpath.deploy.bundles import prepared
from hotpath_research.train import ship
from tests.support import tiny


def test_ones_own_network_does_not_replace_the_shipped_copy(tmp_path, capsys):
    kept = prepared.SHIPPED / "kestrel"
    shutil.copytree(str(kept), str(tmp_path / "kestrel"))
    tiny.write_network(tmp_path).rename(tmp_path / "kestrel.toml")
    before = (tmp_path / "kestrel" / prepared.FILE).read_bytes()
    command = [str(tmp_path / "kestrel.toml"), "--out", str(tmp_path)]
    assert ship.main(command) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "kestrel" / prepared.FILE).read_bytes() == before
    assert ship.main([*command, "--force"]) == 0
    assert (tmp_path / "kestrel" / prepared.FILE).read_bytes() != before

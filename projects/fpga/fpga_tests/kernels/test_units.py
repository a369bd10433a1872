"""What Verilator says of the RTL; ``test_engine.py`` runs all units inside the engine."""

import os

import pytest

import hotpath_fpga as design
from hotpath_fpga.sim import build
from tests.support import run

pytestmark = pytest.mark.skipif(build.missing() is not None, reason=str(build.missing()))


@pytest.mark.parametrize("name", sorted(design.sizes()))
def test_verilator_has_nothing_to_complain_about(name):
    root = build.verilator_root()
    command = [os.path.join(root, "bin", "verilator_bin"), "--top-module", "hp_engine"]
    command += "--lint-only -Wall -Wno-UNUSEDPARAM -Wno-UNUSEDSIGNAL".split()
    command += [f"-I{folder}" for folder in design.rtl_folders()]
    size = design.sizes()[name]
    command += [f"-G{key.upper()}={size[key]}" for key in build.PARAMETERS]
    command.append(str(design.RTL / "hp_engine.sv"))
    done = run(command, env=dict(os.environ, VERILATOR_ROOT=root), timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_can_not_be_written_is_named_before_a_long_build(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(build, "CACHE", str(tmp_path / "file" / "fpga"))
    monkeypatch.setattr(build, "_build", None)
    with pytest.raises(build.NoSimulator, match="file/fpga can't be written"):
        build.library(design.sizes()["pynq_z2"])

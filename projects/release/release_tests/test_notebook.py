"""The notebook of FPGA boards, executed from its own cells with the simulated overlay."""

import json
import os
import sys

import pytest

pytest.importorskip("pynq")
pytest.importorskip("IPython")

from hotpath.deploy.bundles import engine_command as build
from tests.support import ROOT, run

NOTEBOOK = ROOT / "docs" / "examples" / "pynq.ipynb"


def test_the_notebook_finds_its_target_and_draws_it(tmp_path):
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert build.main(["pynq_z2", "--out", str(tmp_path / "engines")]) == 0
    (tmp_path / "hotpath").symlink_to(ROOT / "hotpath")
    folder = tmp_path / "docs" / "examples"
    folder.mkdir(parents=True)
    # as a kernel does: each cell by itself, in one namespace
    program = "from IPython.core.interactiveshell import InteractiveShell as Shell\n"
    program += "shell = Shell.instance()\n"
    program += f"for cell in {code!r}:\n    shell.run_cell(cell).raise_error()\n"
    environment = dict(os.environ, PYTHONPATH=str(tmp_path))
    done = run([sys.executable, "-c", program], cwd=str(folder), env=environment, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 more runs gave the known answer" in done.stdout
    assert "cycles" in done.stdout and "state='tracked'" in done.stdout and "Image" in done.stdout

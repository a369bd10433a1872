"""Is what the doctor advises enough? Tried on a fresh board of each JetPack, and on a computer.

    python -m hotpath_release.fresh_boards [--all | NAME...]       NAME is such as jetpack_6

Without a name it takes the oldest and the newest JetPack.

For each environment of ``environments.toml``: a Python of that version with that Ubuntu's packages
executes the very commands that ``python -m hotpath boards missing`` prints. Then it imports
everything, builds a bundle, tracks, and runs the suite of frame rates, alone and against another
commit. TensorRT and the GPU are fakes; this Python runs the networks of the fake TensorRT.

Exit codes: 0, 1 when an environment failed.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from concurrent import futures

from hotpath.calib.command import parser
from hotpath_release.fresh_boards.machine import Failed, Machine, environments
from tests.support import ROOT, files, tiny

HOME = ROOT / ".cache" / "fresh-boards"
AT_ONCE = 2
FEW = ("jetpack_4_6", "jetpack_7")
SITE = ROOT / "projects/nogpu/hotpath_nogpu/tensorrt/site"
HELPS = ("boards", "deploy.bundles", "runtime.track", "hotpath networks", "deploy.fps")
IMPORTS = (
    "numpy, cv2, hotpath.boards, hotpath.runtime.loading, "
    "hotpath.app.__main__, hotpath.kernels.cuda.windows"
)
VENV = "python3-venv", "-m venv"  # of the doctor's advice, in a root without a home
WHO = "-c user.name=a -c user.email=a@b"


def main(arguments=None):
    table = environments()
    cli = parser("hotpath_release.fresh_boards", __doc__)
    cli.add_argument("names", nargs="*", metavar="NAME", help=", ".join(table))
    cli.add_argument("--all", action="store_true", help="every environment")
    options = cli.parse_args(arguments)
    names = list(table) if options.all else options.names or FEW
    with futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return 0 if all(list(pool.map(lambda name: _tell(name, table[name]), names))) else 1


def _tell(name, table):
    """Try one environment and print what happened; whether it passed."""
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    source = sorted(pathlib.Path(root).glob(f"versions/{table['python']}.*"))
    if not source:
        print("{}: no Python {} of pyenv here, left out".format(name, table["python"]))
        return True
    lines = []
    why = None
    try:
        _try(Machine(table, HOME / name, source[-1], lines.append))
    except Failed as error:
        why = f"  FAILED: {error}"
    head = "{}: Python {}".format(name, table["python"])
    print("\n".join([head] + lines + [why or "  all steps passed"]), flush=True)
    return why is None


def _try(board):
    """All steps on one board; raises Failed when one of them does."""
    work = _checkout(board)
    _install(board, work)
    _check_imports(board, work)
    for module in HELPS:
        _step(board, "help", f"python3 -m {module} --help", work)
    _step(board, "doctor", "python3 -m hotpath boards", work)
    options = {"family": board.table["tensorrt"], "board": board.table["board"]}
    options["capability"] = board.table["capability"]
    fakes = {
        "FAKE_BOARD": str(options).replace("'", '"'),
        "FAKE_PLANS_PYTHON": sys.executable,
        "PYTHONPATH": str(SITE),
    }
    # FP16 takes onnx on TensorRT 11
    precision = " --precision fp32" if board.table["board"] == "nvidia_gpu" else ""
    build = "python3 -m hotpath engine {} --network kestrel".format(board.table["board"])
    _step(board, "build", build + precision, work, **fakes)
    _track(board, work, fakes)
    suite = "python3 -m hotpath.deploy.fps --quick --networks kestrel" + precision
    _step(board, "fps", suite, work, **fakes)
    _step(board, "fps --against", suite + " --against HEAD", work, **fakes)
    for side in ("2*", "base", "new"):  # the first one has its time in the name
        (path,) = work.glob("out/fps/evidence-{}-{}.json".format(board.table["board"], side))
        if '"complete": true' not in path.read_text():
            raise Failed(f"fps: {path.name} is not complete")
    shutil.rmtree(str(work))


def _step(board, what, command, folder, accepted=(0,), **more):
    started = time.monotonic()
    text = board.run(what, command, folder, accepted, **more)
    board.say(f"  {time.monotonic() - started:5.1f} s  {what}: {command}")
    return text


def _checkout(board):
    """This checkout as it is, as the one commit of a repository on the board."""
    work = board.folder / "work"
    work.mkdir()
    for name in files():
        target = work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(ROOT / name), str(target), follow_symlinks=False)
    commit = f"git init -q && git add -A && git {WHO} commit -q -m all"
    board.run("checkout", commit, work)
    return work


def _install(board, work):
    """Execute what the doctor prints, until it prints nothing."""
    ask = f"python3 -m hotpath boards --root {board.root} missing"
    told = board.run("doctor", ask, work)
    for command in told.splitlines():
        _execute(board, command, work)
    made = [each for each in (board.environment, work / ".venv") if each and each.exists()]
    if made:  # the doctor sees it as if it were the board's own Python
        packages = board.root / "usr/lib" / ("python" + board.table["python"]) / "dist-packages"
        packages.symlink_to(board.packages_of(made[0]))
    left = [
        line
        for line in board.run("doctor", ask, work).splitlines()
        if not any(part in line for part in [*board.table.get("not_run", {}), *VENV])
    ]
    if left:
        raise Failed("the doctor still wants: {}".format("; ".join(left)))


def _execute(board, command, work):
    """Run one of the doctor's commands, or look its requirements up where it can't be run."""
    for part, why in board.table.get("not_run", {}).items():
        if part in command:
            where = " download -q --no-deps -d {} ".format(board.folder / "looked-up")
            looked_up = command.replace(" install ", where)
            _step(board, "looked up, since " + why, looked_up, work)
            shutil.rmtree(str(board.folder / "looked-up"))
            return
    _step(board, "install", command, work)


def _check_imports(board, work):
    """Everything must import, and NumPy must be one that OpenCV takes."""
    names = ", ".join([IMPORTS] + board.table.get("imports", []))
    code = f"import {names}; import numpy, cv2; print(numpy.__version__, cv2.__version__)"
    libraries = _stand_ins(board) if "cupy" in names else ""
    text = _step(board, "import", f'python3 -c "{code}"', work, LD_LIBRARY_PATH=libraries)
    board.say("           NumPy and OpenCV: " + text.strip().splitlines()[-1])


def _stand_ins(board):
    """Libraries with the names and functions of CUDA's that CuPy is linked with: their folder."""
    packages = board.packages_of(board.environment or board.system)
    needed, functions = set(), set()
    for path in packages.glob("cupy*/**/*.so"):
        told = subprocess.check_output(["readelf", "-W", "-d", "--dyn-syms", str(path)]).decode()
        needed.update(re.findall(r"\[(lib(?:cu|nv)[^\]]+)\]", told))
        functions.update(re.findall(r" UND (_*(?:cu|nv)\w+)", told))
    folder = board.folder / "stand-ins"
    folder.mkdir()
    lines = [f"int {name}(void) {{ return 0; }}" for name in sorted(functions)]
    (folder / "all.c").write_text("\n".join(lines))
    for name in needed:  # each has the one version that is asked for, of its own name
        (folder / "version").write_text(f"{name} {{ *; }};")
        links = f"-Wl,-soname,{name} -Wl,--version-script=version -o {name}"
        command = f"cc -w -shared -fPIC all.c {links}".split()
        subprocess.check_call(command, cwd=str(folder))
    return str(folder)


def _track(board, work, fakes):
    pictures, boxes = tiny.film(12)
    tiny.write_pictures(work / "frames", pictures)
    box = ",".join(str(float(value)) for value in boxes[0])
    command = (
        f"python3 -m hotpath track --engine tensorrt --network kestrel --video frames --box {box} "
        "--no-show --results track.csv"
    )
    _step(board, "track", command, work, **fakes)
    rows = (work / "track.csv").read_text().strip().splitlines()
    if len(rows) < 12:
        raise Failed(f"track: {len(rows)} rows of 12 frames")


if __name__ == "__main__":
    sys.exit(main())

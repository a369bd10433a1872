"""Build on a board over ssh. One connection takes the prepared folder there and the bundle back.

The board needs Python, NumPy and TensorRT. This program is copied there too, into a temporary
folder that is always removed. The bundle is unpacked beside its place and checked before it is
moved there, so a broken connection leaves nothing half-written.
"""

import io
import pathlib
import re
import shlex
import shutil
import subprocess
import tarfile
import threading
from typing import IO, Callable, List, Optional, Tuple

from hotpath.boards.build.writer import Writer
from hotpath.boards.errors import BuildFailed
from hotpath.runtime import bundle

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OWN = ROOT / "hotpath.py"
PACKAGES = ("runtime", "kernels", "boards")
KINDS = (".py", ".toml", ".h", ".cu")
COMPILED = ROOT / "kernels" / "cpu" / "build"
OPTIONS = ("-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15")
NO_CONNECTION = 255  # ssh's exit code
MOST_BYTES = 1 << 30  # of a bundle's file

SCRIPT = """set -e
d=$(mktemp -d "${{TMPDIR:-/tmp}}/hotpath.XXXXXX")
trap 'rm -rf "$d"' EXIT
trap 'exit 129' HUP INT TERM PIPE
tar xzf - -C "$d"
cd "$d"
python3 -m hotpath.boards.build --prepared prepared --out out {force} 1>&2 </dev/null
tar cf - -C out bundle
"""


Say = Callable[[str], None]


def build(
    host: str,
    prepared: pathlib.Path,
    target: pathlib.Path,
    force: bool = False,
    ssh: str = "ssh",
    say: Say = print,
) -> bundle.Bundle:
    """Build a prepared folder on a board and bring the bundle back. It needs a checkout.

    Args:
        host: such as "user@jetson".
        prepared: the prepared folder.
        target: where the bundle goes.
        force: whether to pass --force on.
        ssh: the command with its options, such as "ssh -p 2222".
        say: function of one sentence.

    Returns:
        The ``Bundle``.

    Raises:
        BuildFailed: there is no ssh or no connection, or the build failed there. The message has
            the board's own words.
        BadBundle: the bundle that came back is not whole, or can't be written.
    """
    if not OWN.is_file():  # what is sent to the board are the folders of a checkout
        raise BuildFailed(
            "a build over ssh needs a checkout, not an installed package; clone the repository and "
            f"run `make engine BOARD=… HOST={host}` there"
        )
    command = shlex.split(ssh)
    if shutil.which(command[0]) is None:
        raise BuildFailed(
            f"there is no {command[0]} here; run `sudo apt-get install openssh-client`"
        )
    script = SCRIPT.format(force="--force" if force else "")
    command += list(OPTIONS) + ["--", host, "sh -c " + shlex.quote(script)]
    say(f"copying {prepared} to {host} and building there")
    with Writer(target) as writer:
        code, last, problem = _run(command, prepared, writer.folder, say)
        if code == NO_CONNECTION:
            raise BuildFailed(
                f"the connection to {host} failed: {last}; nothing was changed here. Check that "
                f"`{ssh} -- {shlex.quote(host)}` works, then run the same command again"
            )
        if code:
            raise BuildFailed(_why(host, last))
        if problem:
            raise BuildFailed(
                f"the bundle did not come back whole from {host} ({problem}); run the same command "
                "again"
            )
        return writer.put_in_place()


def _run(
    command: List[str], prepared: pathlib.Path, folder: pathlib.Path, say: Say
) -> Tuple[int, str, Optional[str]]:
    """Run ssh. Return its exit code, the board's last line, and a fault of what came, or None."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin and process.stdout and process.stderr  # they are pipes
    told = _Told(process.stderr, say)
    sender = threading.Thread(target=_send, args=(process.stdin, prepared), daemon=True)
    sender.start()
    try:
        problem = _receive(process.stdout, folder)
        code = process.wait()
    except BaseException:
        process.kill()
        raise
    sender.join()
    told.join()
    return code, told.last, problem


def program() -> List[pathlib.Path]:
    """Return the files of this program that a board needs to build."""
    found = [OWN]
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in KINDS and COMPILED not in path.parents:
                found.append(path)
    return found


def _send(pipe: IO[bytes], prepared: pathlib.Path) -> None:
    """Write this program and the prepared folder as a tar. ssh reports a broken pipe."""
    try:
        with tarfile.open(fileobj=pipe, mode="w|gz") as archive:
            for path in program():
                archive.add(str(path), str(path.relative_to(ROOT)), recursive=False)
            for path in sorted(prepared.iterdir()):
                archive.add(str(path), "prepared/" + path.name, recursive=False)
        pipe.close()
    except OSError:
        try:
            pipe.close()
        except OSError:
            pass


def _receive(pipe: IO[bytes], folder: pathlib.Path) -> Optional[str]:
    """Unpack the bundle's files. Return None, or what is wrong with them."""
    data = pipe.read()
    pipe.close()
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                name = pathlib.PurePosixPath(member.name)
                if member.isdir() and str(name) == "bundle":
                    continue
                plain = member.isfile() and len(name.parts) == 2 and name.parts[0] == "bundle"
                if not plain or name.name.startswith(".") or member.size > MOST_BYTES:
                    return f"unexpected {member.name!r}"
                source = archive.extractfile(member)
                if source is not None:
                    (folder / name.name).write_bytes(source.read())
    except (tarfile.TarError, EOFError, OSError) as error:
        return str(error) or type(error).__name__
    return None if (folder / bundle.FILE).is_file() else "it is empty"


def _why(host: str, last: str) -> str:
    """Say what failed on the board, from its last line."""
    lacking = re.search(r"No module named '?(\w+)", last)
    if lacking:
        return "{0} lacks the Python library {1}; run `ssh {0} python3 -m pip install {1}`".format(
            host, lacking.group(1)
        )
    if "python3: " in last and "not found" in last:
        return f"{host} has no python3; is it a board with JetPack?"
    return f"the build on {host} failed: {last}"


class _Told(threading.Thread):
    """Passes on what the board says, and keeps its last line."""

    def __init__(self, pipe: IO[bytes], say: Say) -> None:
        super().__init__(daemon=True)
        self.last = "it said nothing"
        self._pipe, self._say = pipe, say
        self.start()

    def run(self) -> None:
        for line in self._pipe:
            text = line.decode("utf-8", "replace").strip()
            if text:
                sentence = text.split("hotpath engine: ", 1)[-1]
                self.last = sentence
                self._say(sentence)
        self._pipe.close()

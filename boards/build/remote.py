"""Builds on a board over ssh: one connection carries the prepared parts there, the bundle back.

The board needs Python, NumPy and TensorRT: this program goes there too, into a temporary folder
that is removed whatever happens. The bundle is unpacked beside its place and checked before it is
put there, so a connection that breaks leaves nothing half-written.
"""

import io
import pathlib
import re
import shlex
import shutil
import subprocess
import tarfile
import threading

from boards.build.writer import Writer
from boards.errors import BuildFailed
from runtime import bundle

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGES = ("runtime", "kernels", "boards")
KINDS = (".py", ".toml", ".h", ".cu")
OPTIONS = ("-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15")
NO_CONNECTION = 255  # ssh's exit code
MOST_BYTES = 1 << 30  # of a bundle's file

SCRIPT = """set -e
d=$(mktemp -d "${{TMPDIR:-/tmp}}/hotpath.XXXXXX")
trap 'rm -rf "$d"' EXIT
trap 'exit 129' HUP INT TERM PIPE
tar xzf - -C "$d"
cd "$d"
python3 -m boards.build --prepared prepared --out out {force} 1>&2 </dev/null
tar cf - -C out bundle
"""


def build(host, prepared, target, force=False, ssh="ssh", say=print):
    """Build a prepared folder on a board and bring the bundle back.

    Args:
        host: as ssh takes it, such as "user@jetson".
        prepared: ``pathlib.Path`` of the prepared folder.
        target: where the bundle goes.
        force: pass --force on.
        ssh: the command with its options, such as "ssh -p 2222".
        say: function of one sentence.

    Returns:
        The ``Bundle``.

    Raises:
        BuildFailed: no ssh, no connection, or the build failed there; with the board's own words.
        BadBundle: what came back is not whole, or can't be written.
    """
    command = shlex.split(ssh)
    if shutil.which(command[0]) is None:
        raise BuildFailed(
            "{} is not here; run `sudo apt-get install openssh-client`".format(command[0])
        )
    script = SCRIPT.format(force="--force" if force else "")
    command += list(OPTIONS) + [host, "sh -c " + shlex.quote(script)]
    say("copying {} to {} and building there".format(prepared, host))
    with Writer(target) as writer:
        code, last, problem = _run(command, prepared, writer.folder, say)
        if code == NO_CONNECTION:
            raise BuildFailed(
                "the connection to {} failed: {}; nothing was changed here, see that `ssh {}` "
                "works and run the same command again".format(host, last, host)
            )
        if code:
            raise BuildFailed(_why(host, last))
        if problem:
            raise BuildFailed(
                "the bundle did not come back whole from {} ({}); run the same command "
                "again".format(host, problem)
            )
        return writer.put_in_place()


def _run(command, prepared, folder, say):
    """Run ssh: (its exit code, the last line from there, what is wrong with what came or None)."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
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


def _send(pipe, prepared):
    """Write this program and the prepared folder as a tar; a broken pipe is told by ssh."""
    try:
        with tarfile.open(fileobj=pipe, mode="w|gz") as archive:
            for package in PACKAGES:
                for path in sorted((ROOT / package).rglob("*")):
                    if path.suffix in KINDS and "build" not in path.relative_to(ROOT).parts[:-1]:
                        archive.add(str(path), str(path.relative_to(ROOT)), recursive=False)
            for path in sorted(prepared.iterdir()):
                archive.add(str(path), "prepared/" + path.name, recursive=False)
        pipe.close()
    except OSError:
        try:
            pipe.close()
        except OSError:
            pass


def _receive(pipe, folder):
    """Unpack the bundle's files; returns None, or what is wrong with what came."""
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
                    return "unexpected {!r}".format(member.name)
                with archive.extractfile(member) as source:
                    (folder / name.name).write_bytes(source.read())
    except (tarfile.TarError, EOFError, OSError) as error:
        return str(error) or type(error).__name__
    return None if (folder / bundle.FILE).is_file() else "it is empty"


def _why(host, last):
    """What failed on the board, from the last line that it said."""
    lacking = re.search(r"No module named '?(\w+)", last)
    if lacking:
        return "{0} lacks the Python library {1}; run `ssh {0} python3 -m pip install {1}`".format(
            host, lacking.group(1)
        )
    if "python3: " in last and "not found" in last:
        return "{} has no python3; is it a board with JetPack?".format(host)
    return "the build on {} failed: {}".format(host, last)


class _Told(threading.Thread):
    """Passes on what the board says, and keeps its last sentence."""

    def __init__(self, pipe, say):
        super().__init__(daemon=True)
        self.last = "it said nothing"
        self._pipe, self._say = pipe, say
        self.start()

    def run(self):
        for line in self._pipe:
            text = line.decode("utf-8", "replace").strip()
            if text:
                sentence = text.split("boards.build: ", 1)[-1]
                self.last = sentence
                self._say(sentence)
        self._pipe.close()

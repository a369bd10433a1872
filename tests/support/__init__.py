"""What tests share: small networks, films, senders of streams, boards as folders."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ROOMS = sorted(path.name for path in (ROOT / "hotpath").iterdir() if path.is_symlink())


def run(words, **options):
    """Run a program to its end, without input: its ``returncode``, ``stdout`` and ``stderr``."""
    streams = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    streams.update(stdin=subprocess.DEVNULL, universal_newlines=True)
    return subprocess.run([str(word) for word in words], **dict(streams, **options))

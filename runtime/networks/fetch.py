"""Downloads a network's files. A download that broke off is resumed; sha256 checks the result."""

import http.client
import os
import pathlib
import socket
import ssl
import urllib.error
import urllib.request
from typing import Any, Callable, List

from runtime.errors import BadNetwork, BadOutput
from runtime.network import File, Network, sha256_of
from runtime.progress_bar import tqdm

BLOCK = 1 << 16
TIMEOUT_S = 20


def fetch(network: Network, folder: pathlib.Path, log: Callable[[str], Any]) -> List[pathlib.Path]:
    """Download each file of a network into a folder.

    Args:
        network: the ``Network``.
        folder: where the files go. It is made when it is missing.
        log: function of one sentence.

    Returns:
        the paths of the files.

    Raises:
        BadNetwork: a file has no URL, can't be downloaded, or has another sha256.
        BadOutput: the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_fetch_one(network, entry, folder / entry.name, log) for entry in network.files]
    except OSError as error:
        raise BadOutput(
            f"can't write to {folder}: {error.strerror or error}; name another folder with "
            "--networks-dir"
        ) from None


def _fetch_one(
    network: Network, entry: File, path: pathlib.Path, log: Callable[[str], Any]
) -> pathlib.Path:
    try:
        there = network.locate_file(entry, path.parent)
    except BadNetwork:  # not there, or another file of that name
        pass
    else:
        log(f"{there} is there already")
        return there
    if not entry.url or not entry.sha256:
        raise BadNetwork(
            f"{network.path} gives no url and sha256 for {entry.name}, so it can't be downloaded; "
            "put the file into a "
            "folder and name that with --networks-dir"
        )
    part = path.with_name(path.name + ".part")
    try:
        _download(entry, part)
    except _BROKEN as error:
        reason = getattr(error, "reason", None) or error
        raise BadNetwork(
            f"{entry.url} can't be downloaded: {reason}; run the same command again to go on "
            "where it broke, "
            f"or put {entry.name} into a folder and name that with --networks-dir"
        ) from None
    got = sha256_of(part)
    if got != entry.sha256:
        part.unlink()
        raise BadNetwork(
            f"{entry.url} is not the file that {network.path} names (sha256 {got[:12]}… instead "
            f"of {entry.sha256[:12]}…); it was not kept"
        )
    os.replace(str(part), str(path))
    log(f"{path} is complete")
    return path


_BROKEN = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    socket.timeout,  # a class of its own before Python 3.10
    ssl.SSLError,
)


def _download(entry: File, part: pathlib.Path) -> None:
    """Append the missing bytes to ``part``. Start over when the server can't resume."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(str(entry.url))
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing
            return
        raise
    with answer:
        resumed = answer.getcode() == 206
        missing = answer.headers.get("Content-Length")
        have = have if resumed else 0
        total = have + int(missing) if missing else None
        with open(str(part), "ab" if resumed else "wb") as file, tqdm(
            desc=entry.name, total=total, initial=have, unit="B", unit_scale=True, disable=None
        ) as bar:
            for block in iter(lambda: answer.read(BLOCK), b""):
                file.write(block)
                bar.update(len(block))
    if total is not None and part.stat().st_size < total:
        lacking = total - part.stat().st_size
        raise ConnectionError(f"the connection ended {lacking} bytes early")

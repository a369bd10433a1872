"""Download a network's files: resumed where a download broke off, checked by sha256."""

import http.client
import os
import socket
import ssl
import urllib.error
import urllib.request

from tqdm import tqdm

from runtime.errors import BadNetwork, BadOutput
from runtime.networks import sha256_of

BLOCK = 1 << 16
TIMEOUT_S = 20


def fetch(network, folder, log):
    """Bring every file of a network into a folder.

    Args:
        network: the ``Network``.
        folder: where the files go; made when it is missing.
        log: function of one sentence.

    Returns:
        list of ``pathlib.Path``, one a file.

    Raises:
        BadNetwork: a file has no URL, can't be had, or is not what its sha256 says.
        BadOutput: the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_fetch_one(network, entry, folder / entry.name, log) for entry in network.files]
    except OSError as error:
        raise BadOutput(
            "can't write to {}: {}; name another folder with --networks-dir".format(
                folder, error.strerror or error
            )
        ) from None


def _fetch_one(network, entry, path, log):
    try:
        there = network.locate_file(entry, path.parent)
    except BadNetwork:  # not there, or another file of that name
        pass
    else:
        log("{} is there already".format(there))
        return there
    if not entry.url or not entry.sha256:
        raise BadNetwork(
            "{} gives no url and sha256 for {}, so it can't be downloaded; put the file into a "
            "folder and name that with --networks-dir".format(network.path, entry.name)
        )
    part = path.with_name(path.name + ".part")
    try:
        _download(entry, part)
    except _BROKEN as error:
        reason = getattr(error, "reason", None) or error
        raise BadNetwork(
            "{} can't be had: {}; run the same command again to go on from where it broke, or put "
            "{} into a folder and name that with --networks-dir".format(
                entry.url, reason, entry.name
            )
        ) from None
    got = sha256_of(part)
    if got != entry.sha256:
        part.unlink()
        raise BadNetwork(
            "{} is not the file that {} names (sha256 {}… instead of {}…); it was not kept".format(
                entry.url, network.path, got[:12], entry.sha256[:12]
            )
        )
    os.replace(str(part), str(path))
    log("{} is complete".format(path))
    return path


# a time-out has a class of its own before Python 3.10
_BROKEN = (
    urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError,
    socket.timeout, ssl.SSLError,
)  # fmt: skip


def _download(entry, part):
    """Append what is missing to ``part``; start over when the server can't resume."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(entry.url)
    if have:
        request.add_header("Range", "bytes={}-".format(have))
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
        raise ConnectionError("the connection ended {} bytes early".format(
            total - part.stat().st_size))  # fmt: skip

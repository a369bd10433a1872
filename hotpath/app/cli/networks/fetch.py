"""Downloads a network's files. A download that broke off is resumed; sha256 checks the result."""

import contextlib
import http.client
import os
import pathlib
import socket
import ssl
import urllib.error
import urllib.request
from typing import Callable, Iterator, List

from hotpath.base import cache
from hotpath.base.commands import reason
from hotpath.runtime.errors import BadNetwork, BadOutput
from hotpath.runtime.network import File, Network, sha256_of
from hotpath.runtime.networks.schema import LARGEST_FILE
from hotpath.runtime.progress_bar import tqdm
from hotpath.video.base import without_password

BLOCK = 1 << 16
TIMEOUT_S = 20


def fetch(network: Network, folder: pathlib.Path, log: Callable[[str], None]) -> List[pathlib.Path]:
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
        with _locked(folder, log):
            return [_fetch_one(network, entry, folder / entry.name, log) for entry in network.files]
    except OSError as error:
        raise BadOutput(
            f"can't write to {folder}: {error.strerror or error}; name another folder with "
            "--networks-dir"
        ) from None


@contextlib.contextmanager
def _locked(folder: pathlib.Path, log: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other process downloads into a folder."""
    handle = os.open(str(folder), os.O_RDONLY)
    try:
        with contextlib.suppress(OSError, ImportError):  # some network file systems lock no folders
            import fcntl

            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log(f"waiting for another download into {folder}")
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _fetch_one(
    network: Network, entry: File, path: pathlib.Path, log: Callable[[str], None]
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
            f"{network.origin(entry)}, put it into a folder and name that with --networks-dir"
        )
    if path.exists():
        raise BadNetwork(
            f"{path} is not the file that {network.path} names; move it away, or name another "
            "folder with --networks-dir",
            what="other file",
        )
    part = path.with_name(path.name + ".part")
    try:
        _download(entry, part)
    except _BROKEN as error:
        cause = getattr(error, "reason", None) or error
        proxy = urllib.request.getproxies().get("https")
        if proxy and _OF_PROXY in str(cause):
            raise BadNetwork(
                f"{entry.url} can't be downloaded: the proxy {without_password(proxy)} of the "
                f"variable https_proxy refuses ({reason(cause)}); correct or unset it, or put "
                f"{entry.name} into a folder and name that with --networks-dir",
                what="proxy",
            ) from None
        raise BadNetwork(
            f"{entry.url} can't be downloaded ({reason(cause)}); run the same command again to go "
            f"on where it broke, or put {entry.name} into a folder and name that with "
            "--networks-dir",
            what="not downloaded",
        ) from None
    got = sha256_of(part)
    if got != entry.sha256:
        size = part.stat().st_size
        part.unlink()
        what = f"more than {_limit(entry)} bytes" if size > _limit(entry) else f"sha256 {got[:12]}…"
        raise BadNetwork(
            f"{entry.url} is not the file that {network.path} names ({what} instead of sha256 "
            f"{entry.sha256[:12]}…); it was not kept, so put {entry.name} into a folder and name "
            "that with --networks-dir",
            what="other file",
        )
    cache.replace(str(part), str(path))
    log(f"{path} is complete")
    return path


_OF_PROXY = "Tunnel connection failed"  # http.client's words, with the proxy's code
_BROKEN = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    socket.timeout,  # a class of its own before Python 3.10
    ssl.SSLError,
    ValueError,  # an address that Python cannot read
)


def _https() -> urllib.request.OpenerDirector:
    """An opener that knows https alone, so that no redirect leads to anything else."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _limit(entry: File) -> int:
    """Bytes that a file can have."""
    return entry.size or LARGEST_FILE


def _download(entry: File, part: pathlib.Path) -> None:
    """Append the missing bytes to ``part``. Start over when the server can't resume."""
    if part.is_symlink():  # another user's: what it points to is not ours to write
        part.unlink()
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(str(entry.url))
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = _https().open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing
            return
        raise
    with answer:
        resumed = answer.getcode() == 206
        missing = getattr(answer, "length", None)  # None where the server tells no number
        have = have if resumed else 0
        total = None if missing is None else have + missing
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_APPEND if resumed else os.O_TRUNC)
        with open(os.open(str(part), flags, 0o666), "ab" if resumed else "wb") as file, tqdm(
            desc=entry.name, total=total, initial=have, unit="B", unit_scale=True, disable=None
        ) as bar:
            for block in iter(lambda: answer.read(BLOCK), b""):
                file.write(block)
                bar.update(len(block))
                if file.tell() > _limit(entry):
                    return
    if total is not None and part.stat().st_size < total:
        lacking = total - part.stat().st_size
        raise ConnectionError(f"the connection ended {lacking} bytes early")

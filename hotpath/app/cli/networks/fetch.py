"""Download a network's files, and compare their sha256."""

import contextlib
import http.client
import os
import pathlib
import socket
import ssl
import tempfile
import urllib.error
import urllib.request
from typing import Any, Callable, List

from hotpath.base import cache
from hotpath.base.messages import error_text
from hotpath.base.progress_bar import tqdm
from hotpath.runtime.errors import BadNetwork, BadOutput
from hotpath.runtime.network import Network, NetworkFile, sha256_of
from hotpath.runtime.networks.network_schema import LARGEST_FILE

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
        return [_fetch_one(network, entry, folder / entry.name, log) for entry in network.files]
    except OSError as error:
        raise BadOutput(
            f"can't write to {folder}: {error.strerror or error}; name another folder with "
            "--networks-dir"
        ) from None


def _fetch_one(
    network: Network, entry: NetworkFile, path: pathlib.Path, log: Callable[[str], None]
) -> pathlib.Path:
    try:
        there = network.locate_file(entry, path.parent)
    except BadNetwork:  # not there, or another file of that name
        pass
    else:
        log(f"{there} exists already")
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
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=str(path.parent))
    try:
        with open(handle, "wb") as file:
            os.fchmod(handle, 0o644)
            _download(entry, file)
        _check(network, entry, pathlib.Path(part))
        cache.replace(part, str(path))
    except _BROKEN as error:
        raise _refusal(entry, error) from None
    finally:
        with contextlib.suppress(FileNotFoundError):  # it is in its place
            os.unlink(part)
    log(f"{path} is complete")
    return path


def _refusal(entry: NetworkFile, error: Exception) -> BadNetwork:
    """Why a file can't be downloaded, and what to do."""
    cause = getattr(error, "reason", None) or error
    return BadNetwork(
        f"{entry.url} can't be downloaded ({error_text(cause)}); try again, or put {entry.name} "
        "into a folder and name that with --networks-dir",
        what="not downloaded",
    )


def _check(network: Network, entry: NetworkFile, part: pathlib.Path) -> None:
    """Raise ``BadNetwork`` if what was downloaded is another file."""
    got = sha256_of(part)
    if got == entry.sha256:
        return
    is_long = part.stat().st_size > _limit(entry)
    what = f"more than {_limit(entry)} bytes" if is_long else f"sha256 {got[:12]}…"
    raise BadNetwork(
        f"{entry.url} is not the file that {network.path} names ({what} instead of sha256 "
        f"{str(entry.sha256)[:12]}…); it was not kept, so put {entry.name} into a folder and name "
        "that with --networks-dir",
        what="other file",
    )


_BROKEN = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    socket.timeout,  # a class of its own before Python 3.10
    ssl.SSLError,
    ValueError,  # an address that Python cannot read
)


class _HttpsAlone(urllib.request.HTTPRedirectHandler):
    """Follows no redirect that leads to anything else."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"it leads to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _limit(entry: NetworkFile) -> int:
    """Bytes that a file can have."""
    return entry.size or LARGEST_FILE


def _download(entry: NetworkFile, file: Any) -> None:
    """Write the answer to a file, up to one block more than it can have."""
    opener = urllib.request.build_opener(_HttpsAlone)
    with opener.open(str(entry.url), timeout=TIMEOUT_S) as answer:
        total = getattr(answer, "length", None)  # None where the server tells no number
        with tqdm(desc=entry.name, total=total, unit="B", unit_scale=True, disable=None) as bar:
            for block in iter(lambda: answer.read(BLOCK), b""):
                file.write(block)
                bar.update(len(block))
                if file.tell() > _limit(entry):
                    return
    if total is not None and file.tell() < total:
        raise ConnectionError(f"the connection ended {total - file.tell()} bytes early")

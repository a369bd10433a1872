"""Ask a server why an address gives no stream, as FFmpeg's message differs between versions."""

import re
import socket
import ssl
from urllib.parse import SplitResult, urlsplit

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935}
WAIT_S = 2.0
HTTP = "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n"
ASKED = {
    "http": HTTP,
    "https": HTTP,
    "rtsp": "DESCRIBE {address} RTSP/1.0\r\nCSeq: 1\r\n\r\n",
}


def why_no_stream(address: str, waited_s: float) -> str:
    """The reason in words, and what to do.

    Args:
        address: address of the stream.
        waited_s: for how long it was tried.
    """
    silent = f"nobody answered within {waited_s:.0f} s; check the address and that the sender runs"
    try:
        parts = urlsplit(address)
        scheme, host = parts.scheme.lower(), parts.hostname or ""
        port = parts.port or PORTS.get(scheme)
    except ValueError as error:
        return f"{error}; correct the address"
    if scheme not in PORTS and scheme != "tcp" or not (host and port):
        return silent  # datagrams: nobody can refuse them
    try:
        connection = socket.create_connection((host, port), WAIT_S)
        if scheme == "https":
            context = ssl.create_default_context()
            connection = context.wrap_socket(connection, server_hostname=host)
        with connection:
            answer = _answer(connection, scheme, parts._replace(netloc=f"{host}:{port}"))
    except ssl.SSLError as error:
        return f"{host} gives no secure connection ({error.reason}); check the address"
    except (socket.gaierror, UnicodeError):  # the latter: it can't be a name
        return f"no host is called {host}; correct the address"
    except socket.timeout:
        return silent
    except OSError as error:
        return f"{host} refuses port {port} ({error.strerror}); check the port, start the sender"
    status = re.match(r"(?:HTTP|RTSP)/\d\.\d (\d{3}[^\r\n]*)", answer)
    if status and status.group(1)[0] in "45":
        if status.group(1)[:3] == "401" and parts.username:
            return "the server asks for a user and password; check those in the address"
        return f"the server answers {status.group(1).strip()}; correct the address"
    return (
        f"{host} answers at port {port}, but gives no video that can be decoded; check the address"
    )


def _answer(connection: socket.socket, scheme: str, parts: SplitResult) -> str:
    """The first line with which a server answers; "" where it has none in time."""
    if scheme not in ASKED:
        return ""
    path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    asked = ASKED[scheme].format(path=path, host=parts.netloc, address=parts.geturl())
    try:
        connection.sendall(asked.encode("utf-8"))
        return connection.recv(1024).decode("latin-1")
    except OSError:
        return ""

"""Ports of the loopback, and servers there, for tests."""

import http.server
import random
import socket
import socketserver
import subprocess

NEVER_LENT = (20000, 32000)
"""Ports below those that Linux lends to connections, which may take one before the test does."""
_CHANCE = random.SystemRandom()  # Hypothesis sets the seed of the other


class ThreadingHTTPServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """The one of ``http.server``, which came with Python 3.7."""

    daemon_threads = True


def certificate(folder):
    """Make a certificate for the loopback in a folder; returns the paths of it and of its key."""
    paths = [str(folder / "c.pem"), str(folder / "k.pem")]
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run(words + ["-out", paths[0], "-keyout", paths[1]], check=True, stderr=-3)
    return paths


def free_port(kind=socket.SOCK_DGRAM):
    """A port of the loopback that is free now."""
    while True:
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", _CHANCE.randrange(*NEVER_LENT)))
            except OSError:
                continue
            return probe.getsockname()[1]

"""Ports of the loopback for tests."""

import socket


def free_port(kind=socket.SOCK_DGRAM):
    """A port of the loopback that is free now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

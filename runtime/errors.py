"""What can go wrong that a user can act on: one class each, under one base (``kernels.errors``)."""

from kernels.errors import HotpathError, NetworkFailed

__all__ = [
    "BadBox",
    "BadFrame",
    "BadNetwork",
    "BadOutput",
    "BadSource",
    "HotpathError",
    "NetworkFailed",
    "NoCamera",
    "NoEngine",
    "UnknownNetwork",
]


class BadBox(HotpathError):
    """A box that no target can have: empty, not finite, or outside the frame."""


class BadFrame(HotpathError):
    """A frame that is not a picture: wrong type, shape or size."""


class NoCamera(HotpathError):
    """A camera that is not there."""


class BadSource(HotpathError):
    """A video, folder or stream that can't be opened, or that broke half-way."""


class BadOutput(HotpathError):
    """A result, picture or video that can't be written."""


class UnknownNetwork(HotpathError):
    """A network name that no TOML has."""


class BadNetwork(HotpathError):
    """A network's TOML or one of its files is wrong, missing or not what its sha256 says."""


class NoEngine(HotpathError):
    """No executor for the network is installed, or the one asked for is not."""

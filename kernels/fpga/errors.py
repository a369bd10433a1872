"""Errors of an FPGA that a user can act on."""

from kernels.errors import HotpathError, NetworkFailed


class NoFabric(HotpathError):
    """No PYNQ library or no FPGA: nothing here can run an overlay."""


class BadOverlay(NoFabric):
    """An overlay that is missing, that PYNQ can't load, or that has no engine of ours."""


class FabricFailed(NetworkFailed):
    """A program that ended with an error, or did not end."""

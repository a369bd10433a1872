"""The error of the compiler that a user can act on."""

from kernels.errors import HotpathError


class CannotCompile(HotpathError):
    """A network that the engine or this size of it can't run; names the node and what it needs."""

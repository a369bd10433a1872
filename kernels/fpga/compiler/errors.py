"""What a user of the compiler can act on; see ``runtime.errors`` for the rest."""

from kernels.errors import HotpathError


class CannotCompile(HotpathError):
    """A network that the engine or this size of it can't run; names the node and what it needs."""

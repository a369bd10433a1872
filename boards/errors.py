"""What can go wrong with boards that a user can act on; all are ``runtime.errors.HotpathError``."""

from kernels.errors import HotpathError


class UnknownBoard(HotpathError):
    """A board name that no TOML has, or a computer that none of them describes."""


class BadBoard(HotpathError):
    """A board's TOML is wrong, or can't be read here."""


class BadSnapshot(HotpathError):
    """A snapshot file that can't be written, or that is not one."""


class BuildFailed(HotpathError):
    """A bundle that can't be built: a precision that does not pay, a parser that refuses, ssh."""

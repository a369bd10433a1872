"""Errors about boards that a user can act on. All are ``hotpath.base.errors.HotpathError``."""

from hotpath.base.errors import HotpathError


class UnknownBoard(HotpathError):
    """No profile has that name, or no profile describes this computer."""


class BadBoard(HotpathError):
    """A board's TOML file has a mistake, or can't be read here."""


class NoRoot(HotpathError):
    """The folder that replaces ``/`` is missing, or can't be read."""


class BadSnapshot(HotpathError):
    """A snapshot file can't be written, or a file is not a snapshot."""


class NoPynq(HotpathError):
    """This is no PYNQ image, or not root."""

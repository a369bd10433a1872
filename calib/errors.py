"""What a user of calib/ can act on; see ``runtime.errors`` for the rest."""

from runtime.errors import HotpathError


class BadClips(HotpathError):
    """Clips that are not there, have no annotation, or whose annotation doesn't fit."""


class BadTable(HotpathError):
    """A table of ranges that can't be read, is empty, or belongs to another network."""


class BadRun(HotpathError):
    """An evaluation, calibration or search that can't be run, or not be gone on with."""


class Missing(HotpathError):
    """A library that one command of calib/ needs is not installed."""

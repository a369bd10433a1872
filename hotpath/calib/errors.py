"""Errors that a user of ``calib`` can act on; ``hotpath.runtime.errors`` has the others."""

from hotpath.runtime.errors import HotpathError


class BadRun(HotpathError):
    """An evaluation, calibration or search can't start or can't continue."""


class MissingLibrary(HotpathError):
    """A library that the command needs is not installed."""


class BadImages(HotpathError):
    """Training pictures, clips or videos that can't be used."""


class NoTeacher(HotpathError):
    """The teacher network, or one of its files, is missing or can't teach."""


class TrainingStopped(HotpathError):
    """A loss that is not finite, or a run that can't be resumed."""

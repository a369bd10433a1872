"""Errors of a training that a user can act on."""

from runtime.errors import HotpathError


class BadImages(HotpathError):
    """Training pictures, clips or videos that can't be used."""


class NoTeacher(HotpathError):
    """The teacher network, or one of its files, is missing or can't teach."""


class TrainingStopped(HotpathError):
    """A loss that is not finite, or a run that can't be resumed."""

"""What can go wrong in a training that a user can act on."""

from runtime.errors import HotpathError


class BadImages(HotpathError):
    """Training pictures, clips or videos that can't be used."""


class NoTeacher(HotpathError):
    """The network to learn from, or one of its files, is not there."""


class TrainingStopped(HotpathError):
    """A loss that is no number any more, or a run that can't be resumed."""

"""Errors of a deployment that a user can solve; ``hotpath.runtime.errors`` has the others."""

from hotpath.base.errors import HotpathError


class BuildFailed(HotpathError):
    """A bundle can't be built: a refused precision, a parser's error, a broken connection."""


class BadEvidence(HotpathError):
    """A file of the speed suite is missing, is no JSON, or has not the published form."""


class CannotCompare(HotpathError):
    """Two runs differ in more than the commit, or one proves too little."""


class OtherMachine(CannotCompare):
    """The machine is much faster or slower than it was, or its boxes are others."""


class WorkerFailed(HotpathError):
    """The code of a checkout can't be timed."""


class GitFailed(HotpathError):
    """git is not installed, or failed."""

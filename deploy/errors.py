"""Errors of a deployment that a user can act on; ``hotpath.runtime.errors`` has the others."""

from hotpath.kernels.errors import HotpathError


class BuildFailed(HotpathError):
    """A bundle can't be built: a refused precision, a parser's error, a broken connection."""

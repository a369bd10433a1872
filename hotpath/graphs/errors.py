"""Errors of graphs and tables that a user can act on; ``hotpath.runtime.errors`` has the others."""

from hotpath.base.errors import HotpathError


class BadRangeTable(HotpathError):
    """A table of ranges can't be read, is empty, or belongs to another network."""

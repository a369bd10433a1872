"""What a ``Controller`` uses of the outputs of a run, without files, windows and links."""

from types import SimpleNamespace

from hotpath.app.cli.profile import Profile
from hotpath.app.selection import Selection


def run_outputs(write_late):
    """Return them; ``write_late`` gets the tracks of targets that were selected on older frames."""
    parts = dict(profile=Profile(), selection=Selection())
    return SimpleNamespace(write_late=write_late, **parts)

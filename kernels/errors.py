"""The base of every error with a sentence for the user, and the errors that kernels raise.

The other packages add their own classes: ``boards.errors``, ``runtime.errors``, ``calib.errors``.
A command line prints the message, one sentence, and exits with 2. A message names the thing, the
cause and what to do. Programming errors raise Python's own exceptions.
"""

NO_SCORE = (
    "the network gave no finite score; its file may be damaged, or its mean and scale wrong: run "
    "`python -m runtime.networks check`"
)


class HotpathError(Exception):
    """Base of every error with a sentence for the user."""


class NetworkFailed(HotpathError):
    """The network ran but gave nothing usable."""

"""The errors that a caller of the runtime may catch; ``from hotpath.runtime import BadBox`` works
too.

There is one class for each thing that a user can act on. All of them derive from ``HotpathError``,
and the message of each is one sentence that says what to do. The classes for boards, GPUs and FPGAs
are in ``hotpath.boards.errors`` and ``hotpath.base.errors``, with the same base.
"""

from hotpath.base.errors import HotpathError as HotpathError
from hotpath.base.errors import NetworkFailed as NetworkFailed


class BadBox(HotpathError):
    """A box is empty, not finite, or outside the frame."""


class NoObject(HotpathError):
    """No object is at the point that the user gave."""


class BadFrame(HotpathError):
    """A frame has the wrong type, shape or size."""


class NotReady(HotpathError):
    """A tracker cannot take a frame: no ``init``, closed, or busy in another thread."""


class NoCamera(HotpathError):
    """A camera does not exist."""


class BadSource(HotpathError):
    """A video, folder or stream cannot be opened, or it broke off."""


class LoginRefused(BadSource):
    """A camera or a server refuses the user or the password; asking again may lock the account."""


class BadClips(BadSource):
    """Clips are missing, have no annotation, or the annotation does not fit the frames."""


class BadOutput(HotpathError):
    """A result, picture or video cannot be written."""


class BadOption(HotpathError):
    """An option of a command line, of the file that holds them, or of a function is wrong."""


class UnknownNetwork(HotpathError):
    """No TOML has that network name."""


class BadNetwork(HotpathError):
    """A network's TOML or one of its files is wrong, missing, or has another sha256."""


class NoEngine(HotpathError):
    """No engine can run the network here: none is installed, or not the one asked for."""


class BadBundle(HotpathError):
    """A bundle is missing, incomplete, or not what its ``bundle.json`` says."""


class BundleMismatch(BadBundle):
    """A bundle was built for another board, network or library version than the one here."""

"""The base of every error with a sentence for the user, and the errors that kernels raise.

The other rooms add their own classes: ``hotpath.boards.errors``, ``hotpath.runtime.errors``,
``hotpath.deploy.errors``, ``hotpath.calib.errors``. A command line prints the message, one
sentence, and exits with 2. A message names the thing, the cause and what to do. Programming errors
raise Python's own exceptions.
"""

NO_SCORE = (
    "the network gave no finite score; its file may be damaged, or its mean and scale wrong: run "
    "`hotpath networks check`"
)


class HotpathError(Exception):
    """Base of every error with a sentence for the user.

    ``what`` is the cause in one or two words, such as "closed", where a class has several.
    ``where`` is the thing, such as a path. Sentences get reworded; these stay.
    """

    def __init__(self, text: str = "", what: str = "", where: object = "") -> None:
        super().__init__(text)
        self.what = what
        self.where = str(where)

    @property
    def command(self) -> str:
        """The command that the sentence advises; empty if it advises none."""
        return "".join(str(self).split("`")[1:2])


class NetworkFailed(HotpathError):
    """The network ran but gave nothing usable."""


class NoGpu(HotpathError):
    """No NVIDIA GPU, no driver, or neither CuPy nor PyCUDA to reach it."""


class NoCompiler(HotpathError):
    """The kernels can't be compiled here: there is no NVRTC, or it fails."""


class NotOnGpu(HotpathError):
    """The GPU's kernels lack the crop or the select that this network needs."""


class GpuFailed(HotpathError):
    """The GPU refused or stopped: out of memory, or a kernel that failed."""


class NoFabric(HotpathError):
    """No PYNQ library or no FPGA: nothing here can run an overlay."""


class BadOverlay(NoFabric):
    """An overlay that is missing, that PYNQ can't load, or that has no engine of ours."""


class NoProject(HotpathError):
    """A project beside Hotpath is not installed: ``projects/fpga``, ``projects/research``."""


class FabricFailed(NetworkFailed):
    """A program that ended with an error, or did not end."""


def first_error(text: str) -> str:
    """The line of a compiler's output that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no message"])[0]

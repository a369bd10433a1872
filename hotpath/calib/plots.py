"""matplotlib for the programs that draw plots into files: off the board, and only where it is."""

from types import ModuleType

from hotpath.base.messages import missing_package_text
from hotpath.calib.errors import MissingLibrary


def pyplot() -> ModuleType:
    """matplotlib.pyplot, which draws into files.

    Raises:
        MissingLibrary: it is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingLibrary(missing_package_text("a plot", "matplotlib", error, "lab")) from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt

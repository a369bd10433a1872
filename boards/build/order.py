"""What is to be built, and whether the board can run it."""

import pathlib
from typing import Any, Dict, Optional, Union

from boards import Board
from boards.errors import BuildFailed
from runtime import bundle

PRECISIONS = ("fp32", "fp16", "int8")
TABLE = "out/int8/{}-ranges.json"  # where `python -m calib.int8 --out out/int8` writes it


class Order:
    """One bundle that is to be built.

    Args:
        board: the ``boards.Board``.
        network: the ``runtime.networks.Network``.
        precision: one of ``PRECISIONS``.
        out: folder of all bundles.
        networks_dir: folder that is searched for the network's files, or None.
        calibration: path of a table of ranges, or None for the one that was made here.
        dla: number of the DLA core, or None.
        provider: of ONNX Runtime: "cuda" or "tensorrt", or None for the processor.
        host: the board at the other end of ssh, such as "user@nano", or None.
        ssh: the ssh command with its options.
        engine: name of the engine that the bundle is for, or None for the board's own.
        force: whether to build a precision that the board lacks.

    Attributes:
        windows: of a lost target's search, that one call of the network shall take.

    Raises:
        BuildFailed: the board does not have the precision.
    """

    def __init__(
        self,
        board: Board,
        network: Any,
        precision: str,
        out: Union[str, pathlib.Path] = bundle.FOLDER,
        networks_dir: Optional[str] = None,
        calibration: Optional[pathlib.Path] = None,
        dla: Optional[int] = None,
        provider: Optional[str] = None,
        host: Optional[str] = None,
        ssh: str = "ssh",
        force: bool = False,
        engine: Optional[str] = None,
    ) -> None:
        self.board = board
        self.network = network
        self.precision = precision
        self.networks_dir = networks_dir
        self.calibration = calibration
        self.dla = dla
        self.provider = provider
        self.host = host
        self.ssh = ssh
        self.force = force
        self.engine = engine or board.engine
        searches = network.found_above > 0
        self.windows: int = board.search["windows"] if searches else 1
        self._check_precision()
        self.target = bundle.folder_of(board.name, network.name, precision, out)
        if self.engine != board.engine:  # the board's own engine has a bundle of that name
            self.target = self.target.with_name(f"{self.target.name}-{engine}")

    def paths(self) -> Dict[str, pathlib.Path]:
        """Return the network's files: dict of part -> path."""
        found: Dict[str, pathlib.Path] = self.network.locate(self.networks_dir)
        return found

    def table(self) -> Optional[pathlib.Path]:
        """Return the table of ranges: the one that was named, else the one that was made here."""
        made = pathlib.Path(TABLE.format(self.network.name))
        return self.calibration or (made if made.is_file() else None)

    def table_or_shipped(self) -> Optional[pathlib.Path]:
        """Return the table of ranges, else the one that comes with the network."""
        name = self.network.name + "-ranges.json"
        beside: pathlib.Path = self.network.path.with_name(name)
        return self.table() or (beside if beside.is_file() else None)

    @property
    def half_tensors(self) -> bool:
        """Whether TensorRT's plans take and give float16, so that it converts no tensor.

        Not where a regression is learnt on the features: its kernels read float32.
        """
        if self.network.family == "response" and self.network.filter == "ridge":
            return False
        return self.precision in self.board.precision["half_tensors"]

    def command(self, precision: Optional[str] = None) -> str:
        """Return the command that builds this bundle, or that of another precision."""
        text: str = bundle.command(self.board.name, self.network.name, precision or self.precision)
        return text

    def _check_precision(self) -> None:
        known = self.board.precision
        if self.precision in known["exists"] or self.force:
            return
        why = known["why"].get(self.precision, f"it has no {self.precision.upper()} unit")
        raise BuildFailed(
            "{} on a {}: {}; run `{}`, or add FORCE=1 to try it all the same".format(
                self.precision.upper(), self.board.title, why, self.command(known["default"])
            )
        )

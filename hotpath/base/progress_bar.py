"""The progress bar: that of tqdm if it is installed, else none.

A board needs no tqdm. Without it, lines of text still appear, but nothing is drawn.
"""

import sys
from typing import Optional, TextIO

__all__ = ["tqdm"]

try:
    from tqdm import tqdm
except ImportError:

    class tqdm:  # type: ignore[no-redef]
        """What ``runtime`` uses of tqdm, without a bar."""

        disable = True

        def __init__(self, *arguments: object, **options: object) -> None:
            pass

        @classmethod
        def write(cls, text: str, file: Optional[TextIO] = None) -> None:
            """Print a line."""
            file = sys.stdout if file is None else file
            file.write(text + "\n")
            file.flush()

        def update(self, count: int = 1) -> None:
            """Count; nothing is drawn."""

        def set_postfix_str(self, text: str, refresh: bool = True) -> None:
            """Take the text behind the bar; nothing is drawn."""

        def close(self) -> None:
            """Remove the bar; there is none."""

        def __enter__(self) -> "tqdm":
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

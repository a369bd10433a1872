"""One browser that is connected: what is on its way to it, and what it reports."""

import asyncio
import time
from typing import Any, List, Optional, Tuple

from runtime.links.page import api

IN_FLIGHT = 2  # pictures on their way to one browser
MESSAGES_PER_S = 500


class Viewer:
    """One browser's web socket.

    Attributes:
        updated: set when there may be something to send.
        in_flight: indices of the pictures on their way.
        last_index: index of the picture sent last.
    """

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.updated = asyncio.Event()
        self.in_flight: List[int] = []
        self.last_index: Optional[int] = None
        self._second, self._messages = 0, 0

    @property
    def ready(self) -> bool:
        """Whether another picture may be sent."""
        return len(self.in_flight) < IN_FLIGHT

    def receive(self, text: str) -> Optional[Tuple[Optional[int]]]:
        """Read one message: ``{"seen": INDEX}`` or ``{"hold": INDEX or null}``.

        Returns:
            (index,) where a frame is to be held, (None,) where it is released, else None.

        Raises:
            ValueError: it is not such a message, or too many came within a second.
        """
        second = int(time.monotonic())
        self._messages = self._messages + 1 if second == self._second else 1
        self._second = second
        message = api.parsed(text)
        if self._messages > MESSAGES_PER_S or not isinstance(message, dict) or len(message) != 1:
            raise ValueError
        if "seen" in message:
            index = api.whole_number(message["seen"])
            self.in_flight = [n for n in self.in_flight if n > index]
            return None
        held = message["hold"] if "hold" in message else True
        return (None if held is None else api.whole_number(held),)

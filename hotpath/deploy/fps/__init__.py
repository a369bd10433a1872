"""The onboard FPS suite: how fast a tracker's frame is here, side by side with its peers."""

from typing import Any, Dict

# evidence.py says what they hold
Evidence = Dict[str, Any]
Result = Dict[str, Any]
Sample = Dict[str, Any]

"""The FPS suite (``hotpath fps``): time a tracker's frames on this board."""

from typing import Any, Dict

# evidence.py says what they hold
Evidence = Dict[str, Any]
Result = Dict[str, Any]
Sample = Dict[str, Any]

"""The search for a lost target: which windows, how their contents are judged, at what time."""

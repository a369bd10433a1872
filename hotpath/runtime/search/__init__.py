"""The search for a lost target: which windows, and how their contents are judged."""

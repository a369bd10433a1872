"""A stand-in for rknn-toolkit-lite2 (``rknnlite``); put this folder on Python's path."""

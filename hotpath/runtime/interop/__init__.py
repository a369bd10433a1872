"""Tracks as the values of other libraries: one file for each of them."""

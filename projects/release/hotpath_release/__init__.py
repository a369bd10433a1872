"""Checks of a release and of the pages, which run in a clone."""

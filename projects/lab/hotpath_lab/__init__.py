"""Tracking numbers, long films and figures of several targets, off the board."""

"""Frames: pictures and what is read of them, colours, boxes, and the geometry of crops."""

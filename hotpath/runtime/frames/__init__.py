"""Frames: formats of pictures, colours, boxes, and the geometry of crops."""

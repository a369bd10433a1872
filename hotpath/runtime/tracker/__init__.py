"""Track one target: the path of a frame, and the selection of the target."""

"""The path of a frame for one target, and how a target is selected."""

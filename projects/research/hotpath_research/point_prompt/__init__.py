"""Training of the head that finds the object at a point; see ``docs/training.md``."""

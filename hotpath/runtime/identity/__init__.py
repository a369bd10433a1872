"""Decide whether the box still holds the target: evidence, state, and learnt appearance."""

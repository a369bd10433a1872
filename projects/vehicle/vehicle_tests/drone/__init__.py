"""Simulations and long measurements of the drone link: commands, and parts that tests use."""

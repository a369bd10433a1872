"""Evaluate and tune trackers: data sets, long films, states, thresholds, several targets."""

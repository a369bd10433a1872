"""The learner: a classifier that learns the target from the network's features."""

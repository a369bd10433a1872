"""A classifier that learns the target while it is tracked, from features of the network."""

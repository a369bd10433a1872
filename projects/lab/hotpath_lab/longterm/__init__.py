"""Long films, made from clips, in which the target leaves and comes back."""

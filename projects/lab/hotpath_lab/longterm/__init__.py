"""Long films, made from clips, in which the target goes away and comes back."""

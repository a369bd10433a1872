"""How well a tracker does over long films in which the target goes away and comes back."""

"""Counts the places that the frames of a followed target propose, and tells which is chosen."""


def counted(tracker):
    """A list that gets the number of places that each tracked frame proposes."""
    found, choose = [], tracker.target.guard.choose

    def chooses(seen, is_followed=True):
        found.append(len(seen.scores))
        return choose(seen, is_followed)

    tracker.target.guard.choose = chooses
    return found


def chosen(tracker):
    """A list that gets the index of the place that each tracked frame chooses; 0 is the best one.

    Indexes count from the network's own place, the best cell.
    """
    found, choose = [], tracker.target.guard.choose

    def chooses(seen, is_followed=True):
        index, looks = choose(seen, is_followed)
        found.append(index)
        return index, looks

    tracker.target.guard.choose = chooses
    return found

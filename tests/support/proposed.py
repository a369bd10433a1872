"""Counts the places that the frames of a followed target propose, and tells which is chosen."""


def counted(tracker):
    """A list that gets the number of places that each tracked frame proposes."""
    found, choose = [], tracker.search.choose

    def chooses(seen):
        found.append(len(seen.scores))
        return choose(seen)

    tracker.search.choose = chooses
    return found


def chosen(tracker):
    """A list that gets the index of the place that each tracked frame chooses; 0 is the best one.

    Indexes count from the network's own place, the best cell.
    """
    found, choose = [], tracker.search.choose

    def chooses(seen):
        index, looks = choose(seen)
        found.append(index)
        return index, looks

    tracker.search.choose = chooses
    return found

"""Counts the places that the frames of a followed target propose, and tells which is chosen."""


def counted(tracker):
    """A list that gets the number of places that each tracked frame proposes."""
    found = []
    proposed = tracker.search._followed.of

    def propose(*given):
        places = proposed(*given)
        found.append(len(places))
        return places

    tracker.search._followed.of = propose
    return found


def chosen(tracker):
    """A list that gets the index of the place that each tracked frame chooses; 0 is the best one.

    Indexes count from the network's own place, the best cell.
    """
    found, proposed, choose = [], tracker.search._followed.of, tracker.search.choose

    def chooses(seen, frame_size):
        places = [list(place.state) for place in proposed(seen, frame_size)]
        state, score = choose(seen, frame_size)
        found.append(places.index(list(state)))
        return state, score

    tracker.search.choose = chooses
    return found

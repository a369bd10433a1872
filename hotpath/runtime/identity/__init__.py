"""Whether the box still holds the target: the evidence, the state, and the learnt appearance."""

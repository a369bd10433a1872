"""The camera follows the target in simulation, with the real tracker and real MAVLink packets."""

import numpy as np
import pytest

pytest.importorskip("pymavlink")
from tests.drone import closed_loop as sim


@pytest.fixture(scope="module")
def targets():
    from runtime import load_targets

    targets = load_targets()
    yield targets
    targets.close()


def test_a_step_is_settled_within_two_seconds_and_stays_within_five_per_cent(targets):
    samples = sim.Simulation(sim.World(sim.standing(14.0, -7.0)), targets).run(2.6)
    assert abs(samples[0].x) > 0.15  # it began far outside
    assert sim.settled_after(samples) < 2.0


def test_a_moving_target_is_kept_although_a_fifth_of_the_packets_is_lost(targets):
    samples = sim.Simulation(sim.World(sim.wandering()), targets, loss=0.2).run(5.0)
    offsets = sim.off_centre(samples, 1.5)
    assert len(offsets) > 90
    assert offsets.max() <= 0.05


def test_a_link_that_is_gone_for_five_seconds_is_survived(targets):
    world = sim.World(sim.wandering(6.0))
    simulation = sim.Simulation(world, targets, gone=((2.0, 7.0),))
    samples = simulation.run(9.5)
    while_gone = [s for s in samples if 3.0 < s.time_s < 7.0]
    # the gimbal stands still on its own, and the tracker goes on
    assert np.ptp([s.yaw for s in while_gone]) < 0.5
    assert simulation.manager.ours and simulation.manager.up
    assert sim.off_centre(samples, 8.5).max() <= 0.05

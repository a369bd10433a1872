"""A simulated vehicle that hovers: it sends an autopilot's heartbeat, attitude and position."""

import threading

from pymavlink import mavutil
from pymavlink.dialects.v20 import common


class Vehicle:
    """Sends to an address from a thread, until it is closed."""

    def __init__(self, url, height_m=50.0):
        self._link = mavutil.mavlink_connection(
            url, source_system=1, source_component=1, dialect="common"
        )
        self._height_m = height_m
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        count = 0
        while not self._closing.wait(0.05):
            try:
                self._say(count)
            except OSError:
                pass  # nobody listens yet
            count += 1

    def _say(self, count):
        mav, ms = self._link.mav, count * 50
        if count % 20 == 0:
            mav.heartbeat_send(
                common.MAV_TYPE_QUADROTOR, common.MAV_AUTOPILOT_PX4, 0, 0, common.MAV_STATE_ACTIVE
            )
        mav.attitude_send(ms, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        height_mm = int(self._height_m * 1e3)
        mav.global_position_int_send(
            ms, 473977420, 85455940, 488000 + height_mm, height_mm, 0, 0, 0, 0
        )

    def close(self):
        self._closing.set()
        self._thread.join(2.0)
        self._link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

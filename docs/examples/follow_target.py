"""Send the target's position to an autopilot's follow mode.

Each CAMERA_TRACKING_GEO_STATUS of Hotpath becomes a FOLLOW_TARGET.

    python follow_target.py udpin:0.0.0.0:14552

A lost target is not sent, so the autopilot's mode ends by its own timeout. Never tried in flight.
"""

import os
import sys

os.environ.setdefault("MAVLINK20", "1")
from pymavlink import mavutil

GEO_STATUS, ACTIVE = 276, 1
POSITION = 1  # of est_capabilities: nothing but the position is known
SYSTEM = 200  # an autopilot follows no target of its own system id


def main() -> None:
    """Forward the position of the target until the program is ended."""
    link = mavutil.mavlink_connection(sys.argv[1], source_system=SYSTEM, dialect="common")
    link.wait_heartbeat()
    is_asked = False
    while True:
        told = link.recv_match(type=["CAMERA_TRACKING_GEO_STATUS", "HEARTBEAT"], blocking=True)
        if told.get_type() == "HEARTBEAT":
            if told.type in (18, 30) and not is_asked:  # of Hotpath's camera
                me = told.get_srcSystem(), told.get_srcComponent()
                link.mav.command_long_send(*me, 511, 0, GEO_STATUS, 200000, 0, 0, 0, 0, 0)
                is_asked = True
        elif told.tracking_status == ACTIVE:
            place = told.lat, told.lon, told.alt
            zeros = [0.0] * 3
            link.mav.follow_target_send(
                0, POSITION, *place, zeros, zeros, [1.0, 0.0, 0.0, 0.0], zeros, zeros, 0
            )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main()

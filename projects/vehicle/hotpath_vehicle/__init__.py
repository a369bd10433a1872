"""A vehicle's camera (MAVLink), its gimbal, and PTZ cameras (ONVIF), for ``hotpath track``."""

"""MAVLink: the tracker as a camera component of a vehicle, and as the one who turns its gimbal.

``service`` runs the link in a thread of its own. ``camera`` and ``gimbal_manager`` hold the
conversation; they know neither sockets nor the library. ``transport`` carries bytes, ``frames``
finds packets in them and checks signatures, ``codec`` is the only file that imports pymavlink.
"""

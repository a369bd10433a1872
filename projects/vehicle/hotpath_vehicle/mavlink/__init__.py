"""MAVLink: the tracker is a camera component of a vehicle, and it turns the vehicle's gimbal.

``service`` runs the link in its own thread. ``camera`` and ``gimbal_manager`` decide what to
answer and what to send; they use neither sockets nor the MAVLink library. ``transport`` carries
bytes. ``packets`` cuts them apart and checks signatures. ``codec`` is the only file that
imports pymavlink.
"""

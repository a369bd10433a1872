"""Turn the camera so that the target stays in the middle: angles, control law and its numbers.

Pure arithmetic: knows no MAVLink and no trackers.
``hotpath_vehicle.mavlink.gimbal_manager`` sends the result.
"""

"""A camera's calibration: its file, and how ``nudges`` measure it.

Angles are in degrees, rates in degrees a second, times in seconds. Vectors are (right, up).
"""

"""Turn a camera towards its target: calibrated, or slowly. Gimbal and PTZ camera share it.

``calibration`` is what was measured of one set-up, and the gains that suit it. ``budget`` and
``nod`` see only the target's place in the picture and the commands; ``answers`` compares both.
``probe`` turns a camera without a calibration a little, as no picture asks.
``aim`` puts all together. ``nudges`` measures a calibration. Nothing here opens a link or reads a
clock.
Angles are in degrees, rates in degrees a second, times in seconds. Vectors are (right, up).
"""

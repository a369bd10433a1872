"""The tests of the on-board code on ARM processors, emulated by QEMU (``python -m tests.arm``).

machines.toml   the machines: packages, wheels, cores, and which tests run there
machine.py      makes a machine's folder and runs commands in it
same_boxes.py   compares the boxes of a tracker there with those here
boxes.py        the tracker's side of that comparison; it runs on both
frame_cost.py   counts the instructions of crops and, with frames.py, of whole frames
"""

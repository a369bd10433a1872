"""Simulate a Jetson or an NVIDIA GPU on a computer: a driver, a TensorRT, and their processes."""

import os

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(PROJECT))
# what a process imports that runs on the stand-ins
PATH = os.pathsep.join([ROOT, PROJECT])

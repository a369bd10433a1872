"""A computer without a GPU in place of a Jetson: a driver, a TensorRT, and processes on them."""

import os

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(PROJECT))
# what a process imports that runs on the stand-ins
PATH = os.pathsep.join([ROOT, PROJECT])

"""What the fake driver has counted."""

import ctypes

COUNTS = "allocations frees launches graph_launches graphs uploads upload_bytes downloads"
COUNTS += " download_bytes synchronisations modules"


def counts():
    """How often the driver did something since it was loaded: a dict of name -> number."""
    driver = ctypes.CDLL("libcuda.so.1")
    driver.fake_count.restype = ctypes.c_long
    found = {name: driver.fake_count(name.encode()) for name in COUNTS.split()}
    found["allocations"] += driver.fake_count(b"pinned_allocations")
    return found


def cost_of(run):
    """What the driver does in a call."""
    before = counts()
    run()
    return {name: value - before[name] for name, value in counts().items()}

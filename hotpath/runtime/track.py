"""``python -m runtime.track``: the same program as ``hotpath track``.

The program is ``hotpath/app/track_command.py``. It stands on the runtime, so no module here imports
it. The tracker itself is in ``hotpath/runtime/tracker/``.
"""

import runpy

if __name__ == "__main__":
    runpy.run_module("hotpath.app.track_command", run_name="__main__", alter_sys=True)

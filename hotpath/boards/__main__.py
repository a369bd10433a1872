"""``python -m boards``: ``hotpath boards``, the doctor, whose files are ``hotpath/deploy/doctor/``.

There ``__main__.py`` has its commands, ``missing_packages.py`` and ``traps.py`` what it advises,
and ``doctor_report.py`` its sentences. Here is only what it reads of a board.
"""

import runpy

if __name__ == "__main__":
    runpy.run_module("hotpath.deploy.doctor", run_name="__main__", alter_sys=True)

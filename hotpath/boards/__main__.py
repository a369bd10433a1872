"""``python -m boards``: ``hotpath boards``, the doctor, whose files are ``hotpath/deploy/doctor/``.

There ``boards_command.py`` has its commands, ``missing_packages.py`` and ``traps.py`` what it
advises, and ``doctor_report.py`` its sentences. Here is only what it reads of a board.
"""

import runpy

if __name__ == "__main__":
    runpy.run_module("hotpath.deploy.doctor.boards_command", run_name="__main__", alter_sys=True)

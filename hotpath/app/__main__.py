"""``python -m hotpath.app``, which is ``hotpath track``: the program is in ``track_command.py``."""

from hotpath.app.track_command import run_as_program

if __name__ == "__main__":
    run_as_program()

"""``python -m boards``: ``hotpath boards``, the doctor; see ``hotpath.deploy.doctor``."""

import runpy

if __name__ == "__main__":
    runpy.run_module("hotpath.deploy.doctor", run_name="__main__", alter_sys=True)

"""The hot path for each kind of hardware. Tests compare it with ``kernels/golden.py``."""

if "." not in __name__:  # by the link at the root of a clone
    from hotpath.base.root_links import share_package_modules

    share_package_modules(__name__)

"""Build the wheel: there all packages are parts of one, ``hotpath``.

In a checkout the packages are ``runtime``, ``kernels``, ``boards`` and ``calib``. These names are
short, and other distributions use them too. So a wheel holds ``hotpath.runtime`` and so on:
the build rewrites the imports. An editable install keeps the names of the checkout, whose
``hotpath.py`` has the name of the wheel.

A wheel compiles its kernels where it is installed. With HOTPATH_LEVELS=x86_64, aarch64 or, on
macOS, arm64 it holds them compiled for that kind of machine (``make release``).
"""

import os
import re
import shutil
import subprocess
import sys

from setuptools import Distribution, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kernels.cpu import build

HERE = sys.path[0]
OURS = "hotpath"
NAMES = ("runtime", "kernels", "boards", "calib")
EITHER = "(?:{})".format("|".join(NAMES))
LEVELS = os.environ.get("HOTPATH_LEVELS")
REPOSITORY = os.environ.get("GITHUB_REPOSITORY")  # set in a workflow
if REPOSITORY:
    REPOSITORY = f"https://github.com/{REPOSITORY}"
MACOS = "11.0"  # the oldest that a wheel for macOS runs on
EDITABLE = any(command in sys.argv for command in ("editable_wheel", "develop"))
DATA = ("*.toml", "*.h", "*.cpp", "*.cu", "*.onnx", "*.json", "py.typed")
FOLDERS = {  # files of other kinds
    "kernels.fpga.design": ["rtl/*.*", "rtl/*/*", "sim/*.vlt"],
    "kernels.fpga.design.vivado": ["*.tcl", "*.xdc", "boards/*"],
    "boards": ["reference/*"],
    "boards.build": ["shipped/*/*"],
    "boards.doctor.bringup": ["reference.npz"],
    "runtime.gstreamer": ["python/*.py"],
    "runtime.networks": ["int8/*"],
    "runtime.links.page": ["static/*"],
}
INIT = '''"""Hotpath: a visual object tracker; see ``load_tracker``."""

from {0}.runtime import *  # noqa: F403
from {0}.runtime import __all__, __version__  # noqa: F401
'''
MAIN = '''"""``python -m {0}`` is the command ``hotpath``."""

import sys

from {0}.runtime.command import main

sys.exit(main())
'''
RULES = (
    (r"\bruntime\.interop\b", "{1}.interop"),  # a short name, for programs of users
    (r"^(\s*from )({0})(?=[.\s])", r"\1{1}.\2"),
    (r"^(\s*import )({0})((?:\.\w+)+ as )", r"\1{1}.\2\3"),
    (r"^(\s*)import ({0})$", r"\1from {1} import \2"),
    (r"(?<!sudo )\bpython3? -m boards\b(?!\.)", "{1} boards"),  # in messages; sudo has another PATH
    (r"(-m )({0})\b", r"\1{1}.\2"),  # in messages
    (r"([\"'])({0})(\.[\w.]*[\"'])", r"\1{1}.\2\3"),  # names of modules
    (r"(``)({0})(?=\.)", r"\1{1}.\2"),  # in docstrings, which help() shows
)


VERSION = re.compile(r"^(__version__ = |Version: )\"?([\w.]+)\"?$", re.MULTILINE)


def version():
    """The tag of this commit, such as v0.3.0; without one, the version in the source."""
    words = ["git", "describe", "--tags", "--exact-match", "--match", "v[0-9]*"]
    if shutil.which("git") and os.path.exists(os.path.join(HERE, ".git")):
        done = subprocess.run(words, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            return done.stdout.decode().strip()[1:]
    for name in ("PKG-INFO", "runtime/__init__.py"):  # of an sdist, which may be of a tag
        path = os.path.join(HERE, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                return VERSION.search(file.read()).group(2)


def page():
    """README.md for a package index: relative links lead to the repository, if it is known."""
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as file:
        text = file.read()
    if not REPOSITORY:
        return text

    def absolute(link):
        kind = "raw" if link.group(1) else "blob"  # of a picture, of a document
        return f"{link.group()}{REPOSITORY}/{kind}/v{version()}/"

    return re.sub(r"(!?)\[[^\]]*\]\((?!\w+:|#)", absolute, text)


def machine_tag(machine):
    """The tag of a wheel with kernels for a kind of machine; None for what setuptools chooses.

    On macOS it would choose ``universal2``, after Python's own file: one name for two wheels.
    """
    if machine and sys.platform == "linux":
        return f"linux_{machine}"
    if machine and sys.platform == "darwin":
        return f"macosx_{MACOS.replace('.', '_')}_{machine}"
    return None


def rewritten(text):
    """The source of a module with our packages as parts of one."""
    for pattern, replacement in RULES:
        pattern = pattern.format(EITHER)
        text = re.sub(pattern, replacement.format("", OURS), text, flags=re.MULTILINE)
    return text


class BuildPy(build_py):
    """Copies the modules, rewritten."""

    def run(self):
        super().run()
        if EDITABLE:
            return
        top = os.path.join(self.build_lib, OURS)
        for folder, _, files in os.walk(top):
            for name in files:
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as file:
                        text = rewritten(file.read())
                    with open(path, "w", encoding="utf-8") as file:
                        file.write(text)
        path = os.path.join(top, "runtime", "__init__.py")
        with open(path, encoding="utf-8") as file:
            text = VERSION.sub(rf'__version__ = "{version()}"', file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        for name, text in (("__init__.py", INIT), ("__main__.py", MAIN)):
            with open(os.path.join(top, name), "w", encoding="utf-8") as file:
                file.write(text.format(OURS))
        if LEVELS:
            levels = os.path.join(top, "kernels", "cpu", "levels")
            shutil.rmtree(levels, ignore_errors=True)  # of another kind of machine
            os.environ["MACOSX_DEPLOYMENT_TARGET"] = MACOS  # of the compiler; only macOS reads it
            build.build_levels(levels, LEVELS)


class Wheel(bdist_wheel):
    """A wheel for every Python 3."""

    def get_tag(self):
        return "py3", "none", machine_tag(LEVELS) or super().get_tag()[2]


class Machine(Distribution):
    """What is built, for one kind of machine where compiled kernels are in it."""

    def has_ext_modules(self):
        return bool(LEVELS)


def placed(name):
    """The name of a package in what is built."""
    return name if EDITABLE else OURS + "." + re.sub(r"^runtime\.interop\b", "interop", name)


names = find_packages(include=[pattern for name in NAMES for pattern in (name, name + ".*")])
setup(
    version=version(),
    long_description=page(),
    long_description_content_type="text/markdown",
    project_urls={"Repository": REPOSITORY} if REPOSITORY else {},
    py_modules=["hotpath"] if EDITABLE else [],
    packages=[placed(name) for name in names],
    package_dir={} if EDITABLE else {placed(name): name.replace(".", "/") for name in names},
    include_package_data=False,  # setuptools would warn of each folder of data
    package_data=dict({"": list(DATA)}, **{placed(name): kinds for name, kinds in FOLDERS.items()}),
    entry_points={"console_scripts": [f"hotpath = {placed('runtime')}.command:main"]},
    cmdclass={"build_py": BuildPy, "bdist_wheel": Wheel},
    distclass=Machine,
)

"""Get NVIDIA's real TensorRT bindings, which import over stub libraries, into .cache/tensorrt.

    python prepare.py [PYTHON...]      such as .venv/bin/python python3.6

For each Python named (default: the one that runs this) it gets the bindings of every version that
has a wheel for it, some 1 MB each. The real libraries need NVIDIA's own package index and a driver.
A stub library, with functions that return nothing, is enough to import the bindings and to read
their names.

    python prepare.py --write [PYTHON]

also writes the names to surfaces.txt. The fakes have only those, each version its own.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", "..", "..", ".."))
CACHE = os.path.join(ROOT, ".cache", "tensorrt")
SURFACES = os.path.join(HERE, "surfaces.txt")

WHEELS = {
    "8.6.1": "tensorrt-bindings",
    "10.3.0": "tensorrt-cu12-bindings",
    "10.13.3.9": "tensorrt-cu12-bindings",
    "11.4.0.106": "tensorrt-cu12-bindings",
}
PYTHONS = {"8.6.1": ((3, 6), (3, 11))}  # with a wheel; other versions: 3.8 and newer
PLATFORMS = ("manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "manylinux_2_31_x86_64")
MISSING = re.compile(r"\bU (create\w+_INTERNAL|get\w*(?:Plugin|Parser)\w*|init\w+|_ZN\d+nv\w+)")
MANGLED = re.compile(r"\bU (_Z\w*nv(?:parsers|caffe|uff|infer|onnx)\w*)")
NEEDED = re.compile(r"\[(libnv[^\]]+)\]")

CLASSES = (
    "Builder BuilderFlag DataType IBuilderConfig ICudaEngine IExecutionContext IHostMemory "
    "IInt8EntropyCalibrator2 ILogger INetworkDefinition ITensor ILayer IOptimizationProfile "
    "ITimingCache MemoryPoolType NetworkDefinitionCreationFlag OnnxParser ParserError Runtime "
    "TacticSource TensorFormat TensorIOMode"
).split()

READ = """
import json, sys
import tensorrt_bindings as trt
classes = sys.argv[1].split(",")
print(json.dumps({
    "version": trt.__version__,
    "module": sorted(name for name in dir(trt) if not name.startswith("_")),
    "classes": {
        name: sorted(n for n in dir(getattr(trt, name)) if not n.startswith("_"))
        for name in classes if hasattr(trt, name)},
}))
"""


def folder(version, python):
    """Where the bindings of a version are for a Python such as "3.11"."""
    return os.path.join(CACHE, f"{version}-py{python}")


def read(version, python, executable=None):
    """The names of prepared bindings: dict of version, module, classes.

    This runs in a process of its own, because a library can't be unloaded.
    """
    home = folder(version, python)
    environment = dict(os.environ, PYTHONPATH=home, LD_LIBRARY_PATH=os.path.join(home, "stubs"))
    done = subprocess.run(
        [executable or sys.executable, "-c", READ, ",".join(CLASSES)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout)


def write_surfaces(surfaces):
    """Write the names: a line for a version, one for a class, and then its names, indented."""
    with open(SURFACES, "w") as file:
        for version, read in sorted(surfaces.items()):
            file.write(version + "\n")
            for name, names in sorted(dict(read["classes"], tensorrt=read["module"]).items()):
                wrapped = textwrap.fill(" ".join(names), 96, break_long_words=False)
                file.write(name + ":\n" + textwrap.indent(wrapped, "    ") + "\n")


def read_surfaces():
    """dict of version -> dict of class -> set of names; "tensorrt" has the module's own."""
    found = {}
    version = {}
    names = set()
    with open(SURFACES) as file:
        for line in file.read().splitlines():
            if line.startswith(" "):
                names.update(line.split())
            elif line.endswith(":"):
                names = version.setdefault(line[:-1], set())
            else:
                version = found.setdefault(line, {})
    return found


def missing(version, python):
    """Why a version is missing for a Python such as "3.11"; None if it is there."""
    if os.path.isdir(folder(version, python)):
        return None
    first, last = PYTHONS.get(version, ((3, 8), (3, 13)))
    if not first <= tuple(int(part) for part in python.split(".")) <= last:
        return f"TensorRT {version} has no wheel for Python {python}"
    return f"no bindings of TensorRT {version}; run `make fakes`"


def prepare(version, python):
    """Get one version for one Python. Return None, or why that is impossible."""
    home = folder(version, python)
    if os.path.isdir(home):
        return None
    os.makedirs(CACHE, exist_ok=True)
    work = tempfile.mkdtemp(dir=CACHE)
    try:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        command += ["--no-deps", "--only-binary", ":all:", "--python-version", python]
        command += ["--implementation", "cp", "--abi", "none", "--target", work]
        for platform in PLATFORMS:
            command += ["--platform", platform]
        problem = _run(command + [f"{WHEELS[version]}=={version}"]) or _stubs(work)
        if not problem:
            os.rename(work, home)
        return problem
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _stubs(work):
    """Compile a library with every symbol that the bindings need."""
    binding = glob.glob(os.path.join(work, "tensorrt_bindings", "tensorrt*.so"))[0]
    if not shutil.which("cc") or not shutil.which("nm"):
        return "no cc and nm here"
    listed = subprocess.check_output(["nm", "-D", binding], universal_newlines=True)
    needed = subprocess.check_output(["readelf", "-d", binding], universal_newlines=True)
    symbols = sorted(set(MISSING.findall(listed) + MANGLED.findall(listed)))
    os.makedirs(os.path.join(work, "stubs"))
    source = os.path.join(work, "stubs", "stubs.c")
    with open(source, "w") as file:
        for number, symbol in enumerate(symbols):
            file.write(
                f'void *stub{number}() __asm__("{symbol}");\nvoid *stub{number}() {{ return 0; }}\n'
            )
    command = ["cc", "-w", "-shared", "-fPIC", source, "-o"]
    for name in sorted(set(NEEDED.findall(needed))):
        out = os.path.join(work, "stubs", name)
        problem = _run([*command, out, "-Wl,-soname," + name])
        if problem:
            return problem
    return None


def _run(command):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    return (done.stdout.strip() or "it failed").splitlines()[-1] if done.returncode else None


def main(arguments):
    """Prepare all versions. Return 1 if one of them has a wheel and could not be prepared."""
    pythons = [argument for argument in arguments if argument != "--write"] or [sys.executable]
    surfaces = {}
    for executable in pythons:
        python = subprocess.check_output(
            [executable, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"],
            universal_newlines=True,
        ).strip()
        for version in WHEELS:
            problem = prepare(version, python)
            print("TensorRT {} for Python {}: {}".format(version, python, problem or "ready"))
            if not problem:
                surfaces[version] = read(version, python, executable)
    if "--write" in arguments:
        write_surfaces(surfaces)
    return 0 if surfaces else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

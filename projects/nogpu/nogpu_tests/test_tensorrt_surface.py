"""The real TensorRT bindings have every name that the product uses; the fakes have no other."""

import inspect
import os
import re
import sys

import pytest

pytest.importorskip("onnxruntime")

from hotpath.deploy.bundles import plans, progress
from hotpath.runtime.engines import tensorrt as adapter
from hotpath_nogpu.tensorrt import fake, prepare
from tests.support import run

VERSION = "{}.{}".format(*sys.version_info)
SURFACES = prepare.read_surfaces()
REAL = {"8.2": "8.6.1", "8.6": "8.6.1", "10": "10.3.0", "10.13": "10.13.3.9", "11": "11.4.0.106"}


def surface(family):
    """dict of class -> set of its names, and "tensorrt" for the module's own.

    8.2.1 has no wheel: its names are those of 8.6.1 without ``fake.NAMED``.
    """
    found = dict(SURFACES[REAL[family]])
    for name, names in fake.NAMED.items() if family == "8.2" else ():
        if name in found:
            found[name] = found[name] - set(names.split())
    return found


@pytest.mark.parametrize("family", sorted(REAL))
def test_fakes_have_no_name_that_the_real_ones_lack_and_lack_none_that_they_have(family):
    trt, real = fake.make(family), surface(family)
    for name, each in vars(trt).items():
        if name.startswith("_"):
            continue
        assert name in real["tensorrt"]
        if not isinstance(each, type) or name not in real:
            continue
        extra = {n for n in dir(each) if not n.startswith("_")} - real[name]
        plain = set(dir(bytes)) | set(dir(int))
        assert not extra - plain, (name, extra)
    for name, names in fake.lacking(family).items():
        assert not real.get(name, set()) & set(names), name
        assert not [each for each in names if hasattr(getattr(trt, name, trt), each)], name


def test_an_attribute_of_another_family_is_refused():
    config = fake.make("10").Builder(fake.ILogger()).create_builder_config()
    with pytest.raises(AttributeError, match="TensorRT 10 has no IBuilderConfig.max_workspace"):
        config.max_workspace_size = 1 << 20


def used_names():
    """(class or "tensorrt", name) pairs in the product, written ``trt.A`` and ``trt.A.B``."""
    source = "".join(inspect.getsource(module) for module in (adapter, plans, progress))
    found = re.findall(r"\b_?trt\.(\w+)(?:\.(\w+))?", source)
    return {("tensorrt", name) for name, _ in found} | {pair for pair in found if pair[1]}


@pytest.mark.parametrize("version", sorted(SURFACES))
def test_every_used_name_is_in_the_real_bindings_or_asked_for(version):
    gone_in_11 = {("tensorrt", "IInt8EntropyCalibrator2"), ("BuilderFlag", "FP16")}
    gone_in_11 |= {("BuilderFlag", "INT8"), ("BuilderFlag", "OBEY_PRECISION_CONSTRAINTS")}
    came_in_10 = {("tensorrt", "IProgressMonitor")}
    real, pairs = SURFACES[version], used_names()
    assert {("tensorrt", "Runtime"), ("MemoryPoolType", "WORKSPACE")} <= pairs
    for owner, name in pairs:
        if name.startswith("__") or name in real.get(owner, ()):
            continue
        if version.startswith("11"):
            assert (owner, name) in gone_in_11 or owner == "IInt8EntropyCalibrator2", (owner, name)
        else:
            assert version.startswith("8") and (
                (owner, name) in came_in_10 or owner == "IProgressMonitor"
            ), (owner, name)


@pytest.mark.parametrize("version", sorted(prepare.WHEELS))
def test_real_bindings_have_the_tables_names_and_classes(version, tmp_path):
    if prepare.missing(version, VERSION):
        pytest.skip(prepare.missing(version, VERSION))
    found, kept = prepare.read(version, VERSION), SURFACES[version]
    assert found["version"] == version
    classes = dict(found["classes"], tensorrt=found["module"])
    assert {name: set(names) for name, names in classes.items()} == kept
    home = prepare.folder(version, VERSION)
    code = (
        f"import sys; sys.path.insert(0, {prepare.ROOT!r})\n"
        "import tensorrt_bindings as trt\n"
        "from hotpath.runtime.engines import tensorrt as adapter\n"
        "from hotpath.deploy.bundles import plans, progress\n"
        "logger = adapter.make_logger(trt)\n"
        "logger.log(trt.ILogger.ERROR, 'bad'); logger.log(trt.ILogger.INFO, 'good')\n"
        "assert logger.errors == ['bad'] and logger.last() == 'bad'\n"
        "flag = getattr(trt.NetworkDefinitionCreationFlag, 'EXPLICIT_BATCH', None)\n"
        "assert flag is None or 1 << int(flag) == 1\n"
        "assert trt.float32 == trt.DataType.FLOAT\n"
        "if hasattr(trt.BuilderFlag, 'FP16'):\n"
        "    c = plans.make_calibrator(trt, {'a:0': '3c010a14'})\n"
        "    assert c.read_calibration_cache().decode().startswith('TRT-')\n"
        "if hasattr(trt, 'IProgressMonitor'):\n"
        "    class Config: progress_monitor = None\n"
        "    beat = progress.Heartbeat('x', print, trt, Config())\n"
        "    assert beat._monitor.step_complete('p', 0) is True\n"
        "try:\n"
        "    trt.Builder(logger)\n"
        "except TypeError as error:\n"
        "    print('no driver:', error)\n"
    )
    environment = dict(os.environ, PYTHONPATH=home, LD_LIBRARY_PATH=os.path.join(home, "stubs"))
    done = run([sys.executable, "-c", code], env=environment, cwd=str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "no driver" in done.stdout

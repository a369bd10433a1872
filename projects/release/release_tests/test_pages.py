"""The commands of the pages, executed as they are written, in a checkout that is set up.

``test_tutorials`` runs the tutorials, and ``tests/test_readme.py`` the README.
"""

import shutil
import sys

import pytest

from hotpath_bridges import gstreamer
from tests.support import ROOT, tiny
from tests.support.checkout import copy_to, run, set_up
from tests.support.clips import write_clip
from tests.support.fences import blocks, commands
from tests.support.needs import GSTREAMER, lacks, why_no_module

PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "reference").glob("*.md")])
LANGUAGES = {"sh", "python", "toml", "ini", "nginx", "text", "mermaid"}  # only "sh" has commands
CLIPS = ("DIR", "CLIPS", "OTHER_CLIPS")  # folders of annotated clips, as the pages call them

# The commands that are not run, by what they need. `test_calls` has them parsed.
NOT_RUN = {
    "a registry of packages, or a download": (
        "make setup ALSO=ncnn",
        "make setup ALSO=vehicle",
        "make setup ALSO=research",
        "make fpga",
        "make rknn",
        "pip install ncnn numpy opencv-python",
        "pip install rknn-toolkit-lite2",
        "hotpath networks get nanotrack_v2",
        "sudo apt-get install gstreamer1.0-tools gstreamer1.0-python3-plugin-loader"
        " python3-gst-1.0 gir1.2-gst-plugins-base-1.0",
        "docker build -t hotpath -f hotpath/boards/Dockerfile .",
        "docker build -t hotpath -f hotpath/boards/Dockerfile.l4t --build-arg L4T=r36 .",
    ),
    "the image of the build before": (
        'docker run --rm -v "$PWD:/data" hotpath track --video drone.mp4 --box 440,270,60,90'
        " --results boxes.csv",
        'docker run --rm -v "$PWD:/data" hotpath engine jetson_orin_nano',
        'docker run --rm -v "$PWD:/data" hotpath track --board jetson_orin_nano --video drone.mp4'
        " --box 440,270,60,90",
    ),
    "a camera": (
        "hotpath track cam0 --detector yolox_nano --class person --show",
        "hotpath track rtsp://10.0.0.9/live --page",
        "hotpath track --video rtsp://10.0.0.9/live --page --gimbal onvif://admin@10.0.0.9"
        " --gimbal-login login",
        "hotpath gimbal calibrate --video rtsp://10.0.0.9/live --mavlink udpin:0.0.0.0:14550"
        " --out calibration.toml",
        "hotpath ptz calibrate --video rtsp://10.0.0.9/live --gimbal onvif://admin@10.0.0.9"
        " --gimbal-login login --fov 60 --out camera.toml",
    ),
    "a board": (
        "python3 -m venv --system-site-packages ~/hotpath-venv",
        ". ~/hotpath-venv/bin/activate",
        "python3 -m hotpath track --bundle engines/raspberry_pi5/kestrel-fp32 --video cam0"
        " --box 440,270,60,90 --results boxes.csv",
        "python3 -m hotpath track --bundle engines/rk3588/kestrel-int8 --video cam0"
        " --box 440,270,60,90 --results boxes.csv",
        "python3 -m hotpath track --engine tensorrt --video csi0 --page --page-host 0.0.0.0",
        "rsync -a engines/jetson_nano/kestrel-fp16.prepared"
        " user@board:hotpath/engines/jetson_nano/",
        "ssh user@board 'cd hotpath && python3 -m hotpath engine --prepared"
        " engines/jetson_nano/kestrel-fp16.prepared'",
        "python3 -m hotpath track --video csi0 --mavlink serial:/dev/ttyTHS1:921600"
        " --stream rtp://192.168.1.5:5600 --fov 62 --gimbal --results /data/boxes.csv --append",
        "gst-launch-1.0 nvarguscamerasrc ! nvvidconv ! 'video/x-raw,format=NV12' !"
        " hotpathtrack bundle=engines/jetson_orin_nano/kestrel-fp16 box=45%,40%,10%,20% !"
        " nvvidconv ! nveglglessink",
    ),
    "Vivado": ("make overlay BOARD=kv260",),
    "Rockchip's toolkit, 6 GB": ("make engine BOARD=rk3588",),
    "an installation of ROS 2": (
        "source /opt/ros/$ROS_DISTRO/setup.bash",
        "python3 -m hotpath track --video ros:/camera/image_raw --publish ros:/tracks",
    ),
    "a stream and a display": (
        'gst-launch-1.0 udpsrc port=5600 caps="application/x-rtp,media=video,clock-rate=90000,'
        'encoding-name=H264,payload=96" ! rtph264depay ! h264parse ! avdec_h264 ! autovideosink',
        "ffplay -fflags nobuffer -flags low_delay udp://0.0.0.0:5600",
    ),
    "a data set, pictures, or the authors' files": (
        "python -m hotpath_lab.public --data DIR",
        "python -m hotpath_lab.public --data DIR --also clips,films",
        "python -m hotpath_lab.readme --data DIR",
        "python -m hotpath_lab.negatives --network ../mine/mine.toml --clips DIR",
        "git clone https://github.com/EDOGing/LightFC_Deploy",
        "python -m hotpath_research.export.lightfc --checkout LightFC_Deploy --out networks",
        "hotpath evaluate --benchmark public --data DIR",
        "hotpath evaluate --benchmark public --data DIR --compare BOXES",
        "python -m hotpath_research.train --images DIR... --clips DIR..."
        " --networks-dir MODELS --out runs/NAME",
        "python -m hotpath_research.train --shape timm:mobileone_s0 --images DIR..."
        " --networks-dir MODELS --out runs/NAME",
        "python -m hotpath_research.export fold --checkout DIR"
        " --config repvgg:create_RepVGG_A0 --checkpoint model.pth --name repvgg_a0",
        "python -m hotpath_research.train --learn-boxes --clips CLIPS --images DIR..."
        " --networks-dir MODELS --pairs head=4e4 --lr head=3e-4 --out runs/own",
        "hotpath select runs/NAME/checkpoints --clips DIR",
        "hotpath int8 --network lightfc --clips TRAIN_CLIPS CLIPS --held-out NAME,NAME"
        " --exemplars 2 --searches 5",
        "python -m hotpath_research.train.prune runs/NAME/head.pt --share .2 --out runs/pruned"
        " --clips CLIPS",
        "python -m hotpath_research.train.judge CANDIDATE.toml CANDIDATE-int8.toml"
        " --validation DIR --report UNSEEN",
        "make kestrel CHECKPOINT=runs/NAME/head.pt CLIPS=CLIPS UNSEEN=UNSEEN FILMS=films.json",
        "python -m hotpath_research.export ostrack --checkout OSTrack --config"
        " OSTrack/experiments/ostrack/vitb_256_mae_ce_32x4_ep300.yaml"
        " --checkpoint OSTrack_ep0300.pth.tar --name mine --out networks",
    ),
    "many minutes, up to hours": (
        "python -m hotpath_lab.longterm --clips CLIPS OTHER_CLIPS --films films.json"
        " --half report --networks kestrel,kestrel_fast",
        "python -m hotpath_lab.thresholds --clips CLIPS --films films.json --networks kestrel"
        " --write",
    ),
    "a Dask cluster": (
        "dask scheduler",
        "dask worker tcp://SCHEDULER:8786 --nthreads 1 --nworkers 4",
        "hotpath evaluate --clips DIR --networks kestrel,kestrel:int8"
        " --cluster tcp://SCHEDULER:8786",
    ),
    "a machine on which nothing else runs": (
        "hotpath fps",
        "hotpath fps save",
        "hotpath fps --rounds 30",
        "hotpath fps --against HEAD~1",
        "hotpath fps compare A.json B.json",
    ),
}
LEFT_OUT = {command for several in NOT_RUN.values() for command in several}
SLOW = ("hotpath evaluate", "hotpath int8", "hotpath tune", "hotpath.calib.", "make engine")
SLOW += ("gst-", "hotpath_fpga")
MODULES = {  # part of a command: the module that it needs beside those of `make test`
    "BOARD=android": "pnnx",
    "BOARD=pynq_z2": "hotpath_fpga",
    "BOARD=kv260": "hotpath_fpga",
    "BOARD=raspberry_pi5": "pnnx",
    "hotpath_fpga": "pynq",
    "timm": "timm",
}
pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.skipif(sys.version_info < (3, 10), reason="make needs Python 3.10"),
]


def name(page):
    return str(page.relative_to(ROOT / "docs"))


def told(page, slow):
    """The commands of a page that are run, in their order; with those that take long or without."""
    several = [one for kind, _, text in blocks(page) if kind == "sh" for one in commands(text)]
    quick = [one for one in several if slow or not any(part in one for part in SLOW)]
    return [one for one in quick if one not in LEFT_OUT]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout with what the pages name: a video, folders of clips, a network of one's own."""
    folder = tmp_path_factory.mktemp("pages") / "hotpath"
    folder.mkdir()
    copy_to(folder)
    set_up(folder)
    film = tiny.film(12, width=640, height=480, side=90)[0]
    tiny.write_video(folder / "drone.mp4", film)
    for frames, clips in zip((12, 60, 62), CLIPS):  # long films need 60 frames
        for more in (0, 1):  # no two clips are the same
            write_clip(folder / clips / f"clip{frames + more}", *tiny.film(frames + more))
    (folder.parent / "mine").mkdir()
    for own, part in (("template", "exemplar"), ("track", "search")):
        data = (
            ROOT / "hotpath" / "runtime" / "networks" / f"kestrel_small_{part}.onnx"
        ).read_bytes()
        (folder / f"mine_{own}.onnx").write_bytes(data)
        (folder.parent / "mine" / f"{own}.onnx").write_bytes(data)
    for page in PAGES:
        for _, title, text in blocks(page):
            if title:
                (folder / title).write_text(text, encoding="utf-8")
    return folder


def why_not(command):
    """Why this machine can't run a command, or ""."""
    if command.startswith("gst"):
        system, version = gstreamer.find_python()
        if version != "{}.{}".format(*sys.version_info):
            return lacks(*GSTREAMER)
    return next((why_no_module(MODULES[part]) for part in MODULES if part in command), "")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_code_block_says_what_it_is(page):
    assert {kind for kind, _, _ in blocks(page)} <= LANGUAGES
    assert all(title.endswith(".toml") for _, title, _ in blocks(page) if title)


def test_a_command_that_is_not_run_stands_in_a_page():
    messages = {one for page in PAGES for _, _, text in blocks(page) for one in commands(text)}
    assert LEFT_OUT <= messages, LEFT_OUT - messages


def execute(page, slow, checkout):
    """Run the commands in one shell. What this machine lacks is the reason of a skip afterwards."""
    reasons = {one: why_not(one) for one in told(page, slow)}
    wanted = [one.replace("autovideosink", "fakesink") for one in reasons if not reasons[one]]
    # GStreamer's Python does not start in an active environment
    start = "set -x" if page.stem == "gstreamer" else 'set -x; PATH="$PWD/.venv/bin:$PATH"'
    run(checkout, "\n".join([start, *wanted]))
    for reason in filter(None, reasons.values()):
        pytest.skip(reason)


@pytest.mark.parametrize("page", [one for one in PAGES if told(one, False)], ids=name)
def test_the_commands_of_a_page_run(page, checkout):
    execute(page, False, checkout)


@pytest.mark.slow("networks are converted, calibrated and tuned")
@pytest.mark.parametrize("page", [p for p in PAGES if told(p, False) != told(p, True)], ids=name)
def test_all_commands_of_a_page_run(page, checkout):
    # of the quick ones, which run again
    shutil.rmtree(str(checkout / "out"), ignore_errors=True)
    for path in (checkout.parent / "mine").glob("*.toml"):
        path.unlink()
    for path in (checkout.parent / "mine").glob("both*"):
        path.unlink()
    execute(page, True, checkout)

"""Pictures in a Jetson's NVMM go to the GPU's crop: same boxes, every buffer comes back once."""

import json

import pytest

from tests.fakes import nvmm
from tests.support.fake_gpu import SITE, need, python
from tests.support.needs import needs_program


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """A folder with L4T's libraries and the driver."""
    need(SITE)
    needs_program("gcc")
    folder = tmp_path_factory.mktemp("l4t")
    nvmm.build(folder)
    return folder


@pytest.fixture
def run(libraries, tmp_path):
    """Function that runs a part of ``tests.fakes.nvmm.whole`` and returns its report."""

    def run_part(name, **options):
        options.setdefault("libraries", str(libraries))
        code = ["-m", "tests.fakes.nvmm.whole", name, str(tmp_path), json.dumps(options)]
        report = json.loads(python(code).splitlines()[-1])
        if isinstance(report, dict) and "skip" in report:
            pytest.skip(report["skip"])
        return report

    return run_part


def test_the_structures_are_those_of_the_c_compiler(run):
    report = run("layout")
    assert report["ours"] == report["c"]


@pytest.mark.parametrize(
    "options",
    [{}, {"few": True, "bytes": nvmm.NVBUF}],
    ids=["search", "by_nvbuf_utils"],
)
def test_a_csi_camera_gives_the_boxes_of_the_copied_way(run, options):
    report = run("boxes", **options)
    assert report["found"] == report["wanted"] and report["kinds"] == ["NvmmFrame"]
    states = {state for _, _, state in report["found"]}
    assert states >= ({"tracked"} if options else {"tracked", "lost", "found"})
    assert report["said"][0] == "csi0: its pictures go to the GPU without a copy"
    assert report["held"] == [0, 0]


def test_the_element_hotpathtrack_leaves_pictures_in_nvmm(run):
    report = run("element")
    assert report["told"] == report["wanted"] and len(report["told"]) == 8
    assert report["held"] == [0, 0]
    told = run("element", replace=["bl-output=false", ""])["told"]
    assert all("nvvidconv bl-output=false gives rows" in line for line in told) and len(told) == 8
    (told,) = run("element", draw=True)["told"]
    assert "draw needs pictures of the processor" in told


def test_a_buffer_stays_until_the_gpu_has_read_it(run):
    report = run("queued")
    assert report["found"] == report["wanted"] and report["bytes"]
    assert report["held"] == report["end"] == [0, 0]


REFUSED = (
    ({"fails": 1}, "cuGraphicsEGLRegisterImage fails (invalid argument)"),
    ({"fails": 2}, "cuGraphicsResourceGetMappedEglFrame fails"),
    ({"fails": 3}, "no EGLImage"),
    ({"bytes": nvmm.NVBUF, "fails": 3}, "no EGLImage"),
    ({"frame": {"colour_format": 0x26}}, "no NV12, but kind 0x26/0x1/2"),
    ({"frame": {"plane_count": 3}}, "no NV12, but kind 0x1/0x1/3"),
    ({"replace": ["bl-output=false", ""]}, "block-linear"),
    ({"frame": {"width": 640}}, "the GPU sees 640x720"),
    ({"frame": {"height": 719}}, "the GPU sees 1280x719"),
    ({"frame": {"pitch": 640}}, "rows of 640 and 1344 bytes"),
    ({"replace": ["nvvidconv", "nvnothing"]}, 'no element "nvnothing"'),
    ({"blind": True}, "no picture came"),
)


def check_refused(told, words):
    (said,) = told["said"]
    assert said.startswith("csi0: its pictures are copied: ") and words in said
    assert told["kind"] == "PlanarFrame" and told["held"] == [0, 0]


def test_what_the_gpu_can_not_read_is_copied_and_one_sentence_says_why(run):
    report = run("refusals", cases=[case for case, _ in REFUSED])
    for told, (_, words) in zip(report, REFUSED):
        check_refused(told, words)
    (told,) = run("refusals", cases=[{}], names=[nvmm.OTHER])
    check_refused(told, "there is no libnvbufsurface.so.1.0.0")


def test_the_video_hardware_turns_the_pictures_of_a_camera(run):
    report = run("turned")
    assert report.pop("fps") == 60
    assert report == {flip: ["NvmmFrame", 0] for flip in ("rotate180", "hflip", "vflip")}


def test_a_camera_that_is_lost_is_not_copied_from_then_on(run):
    report = run("reopened")
    assert report == {"error": "csi0: no picture came", "gpu": True}


def test_buffers_come_back_once_and_are_copied_where_too_many_are_held(run):
    report = run("leases")
    assert all(report["right"])
    assert report["kinds"] == ["NvmmFrame"] * 7 + ["PlanarFrame"] * 5
    assert report["held"] == [7, 7]
    assert report["broken"] == [False, None] and report["after_error"] == [7, 7]
    assert report["given_back"] == [2, 2] and report["end"] == [0, 0]
    assert report["bgr"]


def test_a_recording_that_the_hardware_decodes_stays_in_nvmm(run):
    pytest.importorskip("av")
    report = run("decoded")
    assert report["kinds"] == ["NvmmFrame"] * 10 and max(report["errors"]) < 8
    assert report["time_s"] == pytest.approx(0.36) and report["held"] == [0, 0]
    assert report["said"][0].endswith("a film.mkv: its pictures go to the GPU without a copy")
    turned = run("decoded", turned=True)
    assert "decoded by the processor (nvmm: does not turn a video" in turned["said"][0]


def test_bring_up_compares_boxes_and_time_with_copies(run):
    report = run("bring_up")
    assert report["text"].startswith("same boxes without a copy; "), report
    assert report["held"] == [0, 0]
    spoilt = run("bring_up", shift=12)
    assert spoilt["error"] == "StepFailed" and "other boxes" in spoilt["text"]

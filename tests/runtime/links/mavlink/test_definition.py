"""The definition file is read by file transfer, and its settings by PARAM_EXT."""

import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("pymavlink")
pytest.importorskip("openvino")

from runtime.links.mavlink import ftp
from runtime.links.mavlink.codec import Codec
from runtime.links.mavlink.definition import PATH, SETTINGS
from tests.support import tiny
from tests.support.mavlink_run import HandTurnedRun

STATION = Codec(255, 190)


@pytest.fixture
def run():
    made = HandTurnedRun(tiny.film(3)[0])
    yield made
    made.close()


def asked(run, name, **fields):
    """What the camera answers to one message: list of (name, fields) as a station decodes them."""
    fields = dict({"target_system": 1, "target_component": 100}, **fields)
    answers = run.receive(STATION.encode(name, fields))
    packets = [Codec(1, 100).encode(*answer) for answer in answers]
    return [STATION.decode(packet) for packet in packets]


def transfer(run, opcode, data=b"", offset=0, size=None, session=0, seq=7):
    """Answers of file transfer: list of (ACK or NAK, data, offset, burst end)."""
    size = len(data) if size is None else size
    header = ftp.HEADER.pack(seq, session, opcode, size, 0, 0, 0, offset)
    payload = list(bytearray((header + data).ljust(ftp.PAYLOAD, b"\0")))
    found = []
    for number, answer in enumerate(
        asked(run, "FILE_TRANSFER_PROTOCOL", target_network=0, payload=payload), 1
    ):
        assert answer.fields["target_system"] == 255
        raw = bytes(bytearray(answer.fields["payload"]))
        counted, _, kind, size, echoed, last, _, at = ftp.HEADER.unpack_from(raw)
        assert counted == (seq + number) % 65536 and echoed == opcode
        found.append((kind, raw[ftp.HEADER.size : ftp.HEADER.size + size], at, last))
    return found


def file_of(run):
    ((kind, data, _, _),) = transfer(run, ftp.OPEN, PATH.encode())
    assert kind == ftp.ACK
    (size,) = struct.unpack("<I", data)
    burst = transfer(run, ftp.BURST, size=100)
    assert [last for _, _, _, last in burst] == [0] * (len(burst) - 1) + [1]
    text = b"".join(data for _, data, _, _ in sorted(burst, key=lambda part: part[2]))
    assert len(text) == size
    return text


def test_the_file_is_a_camera_definition_with_the_settings(run):
    text = file_of(run)
    root = ElementTree.fromstring(text)
    assert root.tag == "mavlinkcamera" and root.find("definition/vendor").text == "Hotpath"
    found = {p.get("name"): p for p in root.findall("parameters/parameter")}
    assert set(found) == {setting.name for setting in SETTINGS}
    assert all(p.get("type") == "float" and p.find("description").text for p in found.values())


def test_reading_piece_by_piece_gives_the_same_file_and_then_its_end(run):
    text, whole, offset = file_of(run), b"", 0
    while True:
        ((kind, data, at, _),) = transfer(run, ftp.READ, offset=offset, size=77)
        if kind == ftp.NAK:
            assert data == bytes(bytearray([ftp.END_OF_FILE]))
            break
        assert at == offset
        whole, offset = whole + data, offset + len(data)
    assert whole == text


@pytest.mark.parametrize("session", [0, 190])
def test_answers_have_the_session_that_the_ground_station_chose(run, session):
    sessions = []
    for opcode, data in ((ftp.OPEN, PATH.encode()), (ftp.BURST, b""), (ftp.READ, b"")):
        payload = ftp.HEADER.pack(7, session, opcode, len(data), 0, 0, 0, 0) + data
        payload = list(bytearray(payload.ljust(251, b"\0")))
        for answer in asked(run, "FILE_TRANSFER_PROTOCOL", target_network=0, payload=payload):
            header = ftp.HEADER.unpack_from(bytes(bytearray(answer.fields["payload"])))
            assert header[2] == ftp.ACK
            sessions.append(header[1])
    assert len(sessions) >= 3 and set(sessions) == {session}


def test_the_checksum_is_the_protocol_s(run):
    text = file_of(run)
    ((kind, data, _, _),) = transfer(run, ftp.CHECKSUM, b"camera.xml")
    remainder = 0
    for byte in bytearray(text):
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (0xEDB88320 if remainder & 1 else 0)
    assert kind == ftp.ACK and struct.unpack("<I", data) == (remainder,)
    assert remainder != zlib.crc32(text)


@pytest.mark.parametrize(
    "opcode, data, code",
    [
        (ftp.OPEN, b"/etc/passwd", ftp.NOT_FOUND),
        (ftp.OPEN, b"../camera.xml", ftp.NOT_FOUND),
        (ftp.OPEN, b"\xff\xfe", ftp.NOT_FOUND),
        (ftp.READ, b"", ftp.BAD_SESSION),
        (8, b"/camera.xml", ftp.UNKNOWN),  # remove a file
        (6, b"/camera.xml", ftp.UNKNOWN),  # create one
    ],
)
def test_what_is_not_offered_is_refused(run, opcode, data, code):
    assert transfer(run, opcode, data) == [(ftp.NAK, bytes(bytearray([code])), 0, 0)]


def test_any_payload_is_answered_or_ignored(run):
    random = np.random.RandomState(5)
    for _ in range(300):
        payload = random.randint(0, 256, 251).tolist()
        answers = asked(run, "FILE_TRANSFER_PROTOCOL", target_network=0, payload=payload)
        assert len(answers) <= ftp.MOST_BURST
    assert run.service.failures == 0


def test_a_setting_is_listed_read_and_set(run):
    camera = run.service.camera
    camera.link_delay_s = 0.25
    for name, fields in (
        ("PARAM_EXT_REQUEST_LIST", {}),
        ("PARAM_EXT_REQUEST_READ", {"param_id": b"LINK_DELAY", "param_index": -1}),
        ("PARAM_EXT_REQUEST_READ", {"param_id": b"", "param_index": 0}),
    ):
        (answer,) = asked(run, name, **fields)
        assert answer.name == "PARAM_EXT_VALUE" and answer.fields["param_id"] == "LINK_DELAY"
        assert answer.fields["param_count"] == 1 and answer.fields["param_type"] == 9
    value = struct.pack("<f", 2.0)  # has a zero byte at its begin
    (answer,) = asked(run, "PARAM_EXT_SET", param_id=b"LINK_DELAY", param_value=value, param_type=9)
    assert answer.name == "PARAM_EXT_ACK" and answer.fields["param_result"] == 0
    assert camera.link_delay_s == 2.0


@pytest.mark.parametrize(
    "value, kind", [(-1.0, 9), (11.0, 9), (float("nan"), 9), (float("inf"), 9), (1.0, 5)]
)
def test_a_value_that_cannot_be_changes_nothing(run, value, kind):
    camera = run.service.camera
    camera.link_delay_s = 0.25
    packed = struct.pack("<f", value)
    (answer,) = asked(
        run, "PARAM_EXT_SET", param_id=b"LINK_DELAY", param_value=packed, param_type=kind
    )
    assert answer.fields["param_result"] == 1 and camera.link_delay_s == 0.25


def test_unknown_settings_and_other_components_get_no_answer(run):
    assert asked(run, "PARAM_EXT_REQUEST_READ", param_id=b"NONE", param_index=-1) == []
    assert asked(run, "PARAM_EXT_REQUEST_LIST", target_component=1) == []
    assert asked(run, "PARAM_EXT_REQUEST_LIST", target_system=9) == []
    assert transfer(run, ftp.OPEN, PATH.encode(), seq=65535)[0][0] == ftp.ACK

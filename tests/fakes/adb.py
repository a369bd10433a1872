#!/usr/bin/env python3
"""A stand-in for adb and an Android device, a folder ``FAKE_DEVICE``. It keeps adb's rules.

- Several devices, none, or one that does not trust the computer end each command with 1.
- ``adb shell`` joins its arguments with blanks, and the device's shell reads the result. It
  swallows adb's standard input. Its exit code is that of the device's command.
- With ``FAKE_OLD`` it is an adb or device of before Android 7: the exit code of ``shell`` is always
  0, errors are in its output, and lines end with ``\r\n``.
- ``adb push`` says how many files it pushed, or why it could not, and ends with 0 or 1.

``FAKE_DEVICES`` has the lines of ``adb devices``: SERIAL STATE, separated by commas.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

UNAUTHORIZED = (
    "adb: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\nTry "
    "'adb kill-server' if that seems wrong.\n"
    "Otherwise check for a confirmation dialog on your device."
)


def stop(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def chosen(devices):
    """End as adb does where it can't choose a device that answers."""
    serial = os.environ.get("ANDROID_SERIAL")
    if serial and serial not in devices:
        stop(f"adb: device '{serial}' not found")
    if not devices:
        stop("adb: no devices/emulators found")
    if len(devices) > 1 and not serial:
        stop("adb: more than one device/emulator")
    state = devices[serial] if serial else next(iter(devices.values()))
    if state == "unauthorized":
        stop(UNAUTHORIZED)
    if state != "device":
        stop(f"adb: device {state}")


def here(text, device):
    for place in ("/data/", "/sys/"):
        text = text.replace(place, device + place)
    return text


def shell(words, device):
    sys.stdin.read()  # it goes to the device
    tools = os.path.join(device, "system", "bin")
    done = subprocess.run(
        ["sh", "-c", here(" ".join(words), device)],
        input="",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": tools + ":" + os.environ["PATH"]},
    )
    out, errors = (text.replace(device, "") for text in (done.stdout, done.stderr))
    if os.environ.get("FAKE_OLD"):
        sys.stdout.write((out + errors).replace("\n", "\r\n"))
        return 0
    sys.stdout.write(out)
    sys.stderr.write(errors)
    return done.returncode


def push(source, target, device):
    size = os.path.getsize(source) if os.path.isfile(source) else None
    if size is None:
        stop(f"adb: error: cannot stat '{source}': No such file or directory")
    place = Path(here(target, device))
    failed = f"adb: error: failed to copy '{source}' to '{target}': remote "
    if os.environ.get("FAKE_FULL"):
        stop(failed + "write failed: No space left on device")
    if not place.parent.is_dir():
        stop(failed + "couldn't create file: No such file or directory")
    shutil.copyfile(source, str(place))
    print(f"{source}: 1 file pushed, 0 skipped. 24.3 MB/s ({size} bytes in 0.001s)")
    return 0


def main(words):
    device = os.environ["FAKE_DEVICE"]
    lines = [line.split() for line in os.environ["FAKE_DEVICES"].split(",") if line]
    if words == ["start-server"]:
        return 0
    if words == ["devices"]:
        print("List of devices attached")
        print("".join("\t".join(line) + "\n" for line in lines))
        return 0
    if not words or words[0] not in ("shell", "push"):
        stop(f"adb: unknown command {' '.join(words[:1])}")
    chosen(dict(lines))
    return shell(words[1:], device) if words[0] == "shell" else push(*words[1:], device)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""python -m tests.calib.collect: data set folders out of clones of repositories.

    python -m tests.calib.collect --list ../shared/facts/public-sequences.md \
        --repositories DIR --out DIR

The list names each sequence as OWNER/NAME@COMMIT:PATH. DIR of ``--repositories`` holds a clone of
each as OWNER+NAME. What is written is what ``hotpath.calib.evaluate --benchmark`` reads:
OUT/otb100, OUT/dtb70, OUT/uav123_10fps, each with seen.txt. A sequence that is there is not written
again.
"""

import argparse
import io
import json
import pathlib
import re
import subprocess
import sys
import tarfile

SETS = {"otb": "otb100", "uav": "uav123_10fps", "dtb": "dtb70"}
OTB_BOXES = "foolwood/DaSiamRPN@HEAD:code/data/OTB2015.json"
OTB_ATTRIBUTES = "jwlim/tracker_benchmark@HEAD:results/OPE/STRUCK/scores_tb100/{}.json"
OTB_FLAGS = ("IV", "OPR", "SV", "OCC", "DEF", "MB", "FM", "IPR", "OV", "BC", "LR")
UAV_BOXES = "JinJinSang/Tools-Package-for-UAV-Tracking@HEAD:Benchmark_{}/anno"


class Clones:
    """Files of clones by OWNER/NAME@COMMIT:PATH."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def _git(self, source, *words):
        repository, commit, path = re.fullmatch(r"([^@]+)@([^:]+):(.+)", source).groups()
        clone = self.folder / repository.replace("/", "+")
        inside = [at for at in (clone / "repo" / ".git", clone / "repo", clone) if at.is_dir()]
        if not inside:
            sys.exit(f"{clone} is missing; run `git clone https://github.com/{repository} {clone}`")
        filled = [word.format(commit=commit, path=path) for word in words]
        return subprocess.run(["git", "-C", inside[0], *filled], stdout=-1, check=True).stdout

    def raw(self, source):
        return self._git(source, "show", "{commit}:{path}")

    def text(self, source):
        return self.raw(source).decode()

    def files(self, source):
        """(path below the source, bytes) of each file of a folder."""
        top = source.split(":", 1)[1].rstrip("/")
        packed = self._git(source, "archive", "{commit}", "{path}")
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for member in archive:
                if member.isfile():
                    yield member.name[len(top) + 1 :], archive.extractfile(member).read()


def listed(path):
    """The rows of sequences of the list's tables."""
    text = pathlib.Path(path).read_text()
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines()]
    return [row for row in rows if len(row) == 5 and re.search(r"@[0-9a-f]{40}:", row[-1])]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def frames(clones, source, folder, wanted=None):
    """Write the pictures of a source; ``wanted`` names some of them."""
    if folder.is_dir():
        return
    part = folder.with_name(folder.name + ".part")
    for name, content in clones.files(source):
        if name.endswith(".jpg") and (wanted is None or name in wanted):
            write(part / name, content)
    part.rename(folder)


def otb(clones, name, source, out, told, attributes):
    entry = told[name]
    target = name[-1] if name[-2:] in ("_1", "_2") else ""
    folder = out / (entry["name"][:1].upper() + entry["name"][1:])
    wanted = [pathlib.PurePath(file).name for file in entry["image_files"]]
    frames(clones, source, folder / "img", wanted)
    rows = "".join(",".join(f"{v:g}" for v in row) + "\n" for row in entry["gt_rect"])
    write(folder / f"groundtruth_rect{'.' + target if target else ''}.txt", rows)
    shown = folder.name + (f".{target}" if target else "")
    has = [int(shown.replace(".", "-") in attributes[flag]) for flag in OTB_FLAGS]
    write(out / "att" / f"{shown}.txt", ",".join(map(str, has)) + "\n")
    return shown


def uav(clones, name, source, out):
    boxes = UAV_BOXES.format("UAV123_10fps") + "/UAV123_10fps"
    for kind in ("", "att/"):
        rows = clones.text(f"{boxes}/{kind}{name}.txt")
        write(out / "anno" / "UAV123_10fps" / f"{kind}{name}.txt", rows)
    frames(clones, source, out / "data_seq" / "UAV123_10fps" / name.partition("_")[0])
    return name


def dtb(clones, name, source, out):
    boxes = UAV_BOXES.format("DTB70")
    write(out / name / "groundtruth_rect.txt", clones.text(f"{boxes}/{name}.txt"))
    write(out / "att" / f"{name}.txt", clones.text(f"{boxes}/att/{name}.txt"))
    frames(clones, source, out / name / "img")
    return name


def main():
    cli = argparse.ArgumentParser(prog="python -m tests.calib.collect", description=__doc__)
    for option in ("--list", "--repositories", "--out"):
        cli.add_argument(option, required=True)
    options = cli.parse_args()
    clones, out = Clones(options.repositories), pathlib.Path(options.out)
    told = json.loads(clones.text(OTB_BOXES))
    scores = {flag: json.loads(clones.text(OTB_ATTRIBUTES.format(flag))) for flag in OTB_FLAGS}
    attributes = {flag: set(score["seqs"]) for flag, score in scores.items()}
    seen = {title: [] for title in SETS.values()}
    for name, count, _, known, source in listed(options.list):
        kind, name = name.split("-", 1)
        more = (told, attributes) if kind == "otb" else ()
        title = SETS[kind]
        shown = {"otb": otb, "uav": uav, "dtb": dtb}[kind](clones, name, source, out / title, *more)
        seen[title] += [shown] if known else []
        print(title, shown, count)
    for title, names in seen.items():
        write(out / title / "seen.txt", "".join(name + "\n" for name in names))


if __name__ == "__main__":
    main()

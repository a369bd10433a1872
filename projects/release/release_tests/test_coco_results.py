"""The example of docs/calib.md writes the boxes that are claimed, and no lost ones."""

import json
import subprocess
import sys

from tests.support import ROOT

ROWS = """frame,time_s,x,y,w,h,score,target,lost
0,0.0,10.0,20.5,30.0,40.0,,0,0
1,0.04,11.0,20.5,30.0,40.0,0.75,0,0
2,0.08,11.0,20.5,30.0,40.0,0.1,0,1
3,0.12,,,,,,0,1
"""


def test_claimed_boxes_are_cocos_results(tmp_path):
    boxes, out = tmp_path / "boxes.csv", tmp_path / "coco.json"
    boxes.write_text(ROWS)
    example = ROOT / "docs" / "examples" / "coco_results.py"
    subprocess.run([sys.executable, str(example), str(boxes), str(out)], check=True)
    found = json.loads(out.read_text())
    assert [(each["image_id"], each["score"], each["track_id"]) for each in found] == [
        (0, 0.0, 0),
        (1, 0.75, 0),
    ]
    assert found[1]["bbox"] == [11.0, 20.5, 30.0, 40.0]

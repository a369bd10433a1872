"""Write the boxes of --results as COCO's results format (cocodataset.org, "Results").

hotpath track --video drone.mp4 --box 440,270,60,90 --results boxes.csv
python docs/examples/coco_results.py boxes.csv coco.json
"""

import csv
import json
import sys


def main(boxes, out):
    with open(boxes, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["x"] and row["lost"] in ("0", "False")]
    results = [
        {
            "image_id": int(row["frame"]),
            "category_id": 1,
            "bbox": [float(row[name]) for name in "xywh"],  # 0-based pixels
            "score": float(row["score"] or 0),
            "track_id": int(row["target"]),
        }
        for row in rows
    ]
    with open(out, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])

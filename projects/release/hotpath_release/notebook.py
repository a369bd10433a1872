"""python -m hotpath_release.notebook: run docs/examples/quickstart.ipynb, and store what it shows.

A forge shows a notebook as it is stored, so its pictures are in the file. They are JPEGs, which are
a quarter of the size of Jupyter's PNGs. Nothing of the machine is kept: no path, time or version.
"""

import base64
import json
import os
import tempfile

import cv2
import nbclient
import nbformat
import numpy as np

from tests.support import ROOT

NOTEBOOK = ROOT / "docs" / "examples" / "quickstart.ipynb"
JPEG_QUALITY = 82
# of the levels of a colour, over 5 x 5 pixels, and of the pixels of a picture
MOST_LEVELS, MOST_SHARE = 30, 5e-4


def main():
    notebook = stored()
    with tempfile.TemporaryDirectory() as folder:
        fresh = executed(notebook, folder)
    for cell, outputs in zip(run_cells(notebook), fresh):
        cell["outputs"] = outputs
    for count, cell in enumerate(run_cells(notebook), 1):
        cell["execution_count"] = count
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    NOTEBOOK.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {NOTEBOOK.relative_to(ROOT)}, {NOTEBOOK.stat().st_size / 1e3:.0f} kB")
    return 0


def stored():
    """The notebook as it is in the repository: a dict."""
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def run_cells(notebook):
    """The cells that are run: all code but that of the tag "install"."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [cell for cell in code if "install" not in cell["metadata"].get("tags", ())]


def executed(notebook, folder):
    """Run the cells in a kernel of Jupyter, in a folder.

    Returns:
        the outputs of each cell of ``run_cells``, a list of lists of dicts, as they are stored.
    """
    code = ["".join(cell["source"]) for cell in run_cells(notebook)]
    fresh = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in code])
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = path
    try:
        resources = {"metadata": {"path": str(folder)}}
        nbclient.NotebookClient(
            fresh, timeout=300, resources=resources, record_timing=False
        ).execute()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return [list(map(as_stored, cell.outputs)) for cell in fresh.cells]


def as_stored(output):
    """An output of Jupyter as the file has it.

    Raises:
        SystemExit: an output that is neither text nor a picture, such as a warning.
    """
    if output["output_type"] == "stream" and output["name"] == "stdout":
        lines = output["text"].splitlines(True)
        return {"name": "stdout", "output_type": "stream", "text": lines}
    data = output.get("data", {})
    if output["output_type"] != "display_data" or "image/png" not in data:
        raise SystemExit(f"an output that a reader should not see: {output}")
    picture = cv2.imdecode(
        np.frombuffer(base64.b64decode(data["image/png"]), np.uint8), cv2.IMREAD_COLOR
    )
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    shown = {"image/jpeg": base64.b64encode(jpeg.tobytes()).decode("ascii")}
    return {"data": shown, "metadata": {}, "output_type": "display_data"}


def picture(output):
    """The picture of a stored output, BGR; None for text."""
    text = output.get("data", {}).get("image/jpeg")
    if text is None:
        return None
    return cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)


def differences(stored_outputs, fresh_outputs):
    """What a reader would see differently, as sentences; no sentence where nothing is.

    Pictures may differ by single pixels of an edge. A box that is 6 pixels away, another colour of
    a box, and a curve that is 5 % higher are told.

    Args:
        stored_outputs, fresh_outputs: outputs of each cell, as of ``executed``.
    """
    told = []
    for number, (stored_ones, fresh_ones) in enumerate(zip(stored_outputs, fresh_outputs), 1):
        if len(stored_ones) != len(fresh_ones):
            told.append(f"cell {number} has {len(fresh_ones)} outputs, not {len(stored_ones)}")
            continue
        for one, other in zip(stored_ones, fresh_ones):
            if one.get("text") != other.get("text"):
                told.append(f"cell {number} prints {other.get('text')}, not {one.get('text')}")
            before, after = picture(one), picture(other)
            if before is None or after is None:
                continue
            if before.shape != after.shape:
                told.append(f"cell {number}: a picture of {after.shape}, not {before.shape}")
                continue
            apart = np.abs(before.astype(np.int16) - after).max(axis=-1).astype(np.float32)
            share = float((cv2.blur(apart, (5, 5)) > MOST_LEVELS).mean())
            if share > MOST_SHARE:
                told.append(f"cell {number}: {share:.2%} of a picture differs")
    return told


if __name__ == "__main__":
    raise SystemExit(main())

"""Report what INT8 costs a network: as text, JSON and a page."""

import html
import json

from calib.report import STYLE, pyplot


def write(report, stem):
    """Write STEM.json, STEM.html and STEM-layers.png."""
    stem.with_suffix(".json").write_text(json.dumps(report, indent=1))
    _plot(report, stem.with_name(stem.name + "-layers.png"))
    stem.with_suffix(".html").write_text(_page(report, stem.name + "-layers.png"))


def text(report):
    """Return the report as a few lines for the terminal."""
    lines = [
        "{}: {}, {} layers in 16 bit ({:.1%} of all), {} pairs of {} held-out clips".format(
            report["network"],
            report["method"],
            len(report["keep"]),
            report["kept_share"],
            report["pairs"],
            len(report["held_out"]),
        ),
        "{:<32}{:>9}{:>9}{:>11}{:>9}".format("", "overlap", "loss", "same cell", "MB"),
    ]
    for name, form in report["forms"].items():
        lines.append(
            "{:<32}{:9.4f}{:+9.4f}{:11.3f}{:9.2f}".format(
                name, form["overlap"], form["loss"], form["same_cell"], form["bytes"] / 1e6
            )
        )
    for engine, ms in report["speed"].items():
        lines.append(
            "{}: {:.3f} ms a frame, INT8 {:.3f} ms: {:.2f} times".format(
                engine, ms["fp32"], ms["int8"], ms["fp32"] / ms["int8"]
            )
        )
    for engine, share in report["same_cell_as_simulated"].items():
        lines.append(f"{engine}: same cell as simulated INT8 on {share:.1%} of the pairs")
    return "\n".join(lines)


def _plot(report, path):
    """Draw the signal to noise of each layer, in the order of the network; mark kept layers."""
    plt = pyplot()
    layers = report["layers"]
    chart, axes = plt.subplots(figsize=(11, 3.4), dpi=110)
    colours = ["#d55e00" if name in report["keep"] else "#0072b2" for name in layers]
    axes.bar(range(len(layers)), list(layers.values()), color=colours)
    axes.set(xlabel="layer", ylabel="signal to noise, dB", xlim=(-1, len(layers)), ylim=(0, 60))
    axes.grid(axis="y", alpha=0.3)
    axes.set_title("Layers of the search part: INT8 in blue, kept in 16 bit in orange", fontsize=10)
    chart.tight_layout()
    chart.savefig(path)
    plt.close(chart)


def _rows(head, rows):
    def cells(row, tag):
        return "".join(f"<{tag}>{html.escape(str(value))}</{tag}>" for value in row)

    body = "".join("<tr>{}</tr>".format(cells(row, "td")) for row in rows)
    return "<div class=wide><table><tr>{}</tr>{}</table></div>".format(cells(head, "th"), body)


def _page(report, plot):
    forms = _rows(
        ("form", "one-step overlap", "loss", "same cell as fp32", "MB"),
        [
            (
                name,
                "{:.4f}".format(f["overlap"]),
                "{:+.4f}".format(f["loss"]),
                "{:.1%}".format(f["same_cell"]),
                "{:.2f}".format(f["bytes"] / 1e6),
            )
            for name, f in report["forms"].items()
        ],
    )
    speed = _rows(
        ("engine, one thread", "fp32 ms", "INT8 ms", "times", "same cell as simulated INT8"),
        [
            (
                engine,
                "{:.3f}".format(ms["fp32"]),
                "{:.3f}".format(ms["int8"]),
                "{:.2f}".format(ms["fp32"] / ms["int8"]),
                "{:.1%}".format(report["same_cell_as_simulated"][engine]),
            )
            for engine, ms in report["speed"].items()
        ],
    )
    tried = _rows(
        ("method", "overlap lost on the measured clips"),
        [(name, f"{value:.4f}") for name, value in report["methods"].items()],
    )
    steps = _rows(
        ("layers in 16 bit", "last added", "overlap lost on the measured clips"),
        [(s["kept"], s["added"], "{:.4f}".format(s["loss"])) for s in report["search"]],
    )
    costs = report["costs"]
    total = max(1, sum(costs.values()))
    layers = _rows(
        ("layer", "signal to noise, dB", "share of arithmetic", ""),
        [
            (
                name,
                f"{snr:.1f}",
                f"{costs.get(name, 0) / total:.1%}",
                "16 bit" if name in report["keep"] else "",
            )
            for name, snr in report["layers"].items()
        ],
    )
    parts = [
        "<h1>{} in INT8</h1><p class=note>Ranges by {}, measured on {}. Overlaps: {} pairs of {}, "
        "which influenced neither ranges nor choices.</p>".format(
            html.escape(report["network"]),
            report["method"],
            ", ".join(report["measured_on"]),
            report["pairs"],
            ", ".join(report["held_out"]),
        ),
        "<h2>Overlap and size</h2>",
        forms,
        "<h2>Speed</h2>" + speed if report["speed"] else "",
        "<h2>Methods</h2>" + tried if report["methods"] else "",
        "<h2>Layers kept</h2>" + steps if report["search"] else "",
        f'<h2>Layers</h2><img src="{plot}" alt="signal to noise" style="max-width:100%">',
        layers,
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>INT8</title>'
        "<style>{}</style>{}</html>\n".format(STYLE, "".join(parts))
    )

"""The figures of all runs, in one SQLite file: each commit on each board."""

import contextlib
import sqlite3

from tests.fps import evidence as files

NAME = "history.sqlite"
TABLE = """
CREATE TABLE IF NOT EXISTS figures (
  run TEXT, started TEXT, commit_id TEXT, dirty INTEGER, board TEXT, model TEXT, mode TEXT,
  result TEXT, median_ms REAL, p95_ms REAL, p99_ms REAL, fps REAL, energy_mj REAL, verdict TEXT,
  PRIMARY KEY (run, result)
)
"""
COLUMNS = (
    "run started commit_id dirty board model mode "
    "result median_ms p95_ms p99_ms fps energy_mj verdict"
).split()


def add(out, evidence):
    """Append a run's figures. Appending the same run again changes nothing."""
    run, board = evidence["run"], evidence["board"]
    mode = (evidence["before"]["power_mode"] or {}).get("name")
    rows = []
    for result in evidence["results"]:
        if not result["rounds"]:
            continue
        total = result["figures"]["steps"]["total"]
        rows.append(
            (
                run["id"],
                run["started"],
                run["commit"],
                run["dirty"],
                board["name"],
                board["model"],
                mode,
                files.name_of(result),
                total["median"],
                total["p95"],
                total["p99"],
                total["fps"],
                result["figures"]["energy_mj"],
                evidence["verdict"]["state"],
            )
        )
    with _open(out) as store:
        store.executemany(
            "INSERT OR REPLACE INTO figures VALUES ({})".format(",".join("?" * len(COLUMNS))), rows
        )


def rows(out, board=None):
    """Return all figures in the order of their runs: a list of dicts of ``COLUMNS``."""
    where, values = ("WHERE board = ?", (board,)) if board else ("", ())
    query = "SELECT {} FROM figures {} ORDER BY started, rowid".format(", ".join(COLUMNS), where)
    with _open(out) as store:
        return [dict(zip(COLUMNS, row)) for row in store.execute(query, values)]


def text(out, board=None):
    """Return the figures as a table of text."""
    lines = [
        "{:<21} {:<9} {:<16} {:<46} {:>9} {:>7} {}".format(
            "started", "commit", "board", "network, precision, engine, clip", "median ms", "FPS", ""
        )
    ]
    for row in rows(out, board):
        commit = (row["commit_id"] or "unknown")[:8] + ("+" if row["dirty"] else "")
        lines.append(
            "{:<21} {:<9} {:<16} {:<46} {:9.3f} {:7.1f} {}".format(
                row["started"],
                commit,
                row["board"],
                row["result"],
                row["median_ms"],
                row["fps"],
                row["verdict"],
            )
        )
    return "\n".join(lines)


@contextlib.contextmanager
def _open(out):
    try:
        out.mkdir(parents=True, exist_ok=True)
        store = sqlite3.connect(str(out / NAME))
        store.execute(TABLE)
    except (OSError, sqlite3.Error) as error:
        raise files.BadEvidence(
            f"the history {out / NAME} can't be used: {error}; name another folder with --out"
        ) from None
    try:
        yield store
        store.commit()
    finally:
        store.close()

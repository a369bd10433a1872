"""What publishes a release is of a form that its host takes."""

import shutil
import subprocess

import pytest

from tests.support import ROOT, run

yaml = pytest.importorskip("yaml")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="no actionlint here")
def test_actionlint_finds_nothing_in_the_workflows():
    done = run(["actionlint", *map(str, WORKFLOWS)], cwd=str(ROOT), stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout


def test_only_the_job_that_publishes_may_prove_who_it_is_and_no_password_is_stored():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    assert [name for name, job in jobs.items() if "permissions" in job] == ["publish"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert set(jobs["publish"]["needs"]) == set(jobs) - {"publish"}
    assert not any("secrets." in path.read_text() for path in WORKFLOWS)


def test_forms_of_issues_and_the_citation_can_be_read():
    for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")):
        form = yaml.safe_load(path.read_text())
        if path.name != "config.yml":
            assert {"name", "description", "body"} <= set(form), path
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "title", "message", "authors"} <= set(citation)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("there", ["", "c++", "c++ git"])
def test_make_release_says_what_it_lacks_before_it_begins(tmp_path, there):
    for name in ("sh", "make", "env"):
        (tmp_path / name).symlink_to(shutil.which(name))
    for name in there.split():
        (tmp_path / name).symlink_to("/bin/true")
    words = [str(tmp_path / "make"), "--no-print-directory", "able-to-release"]
    done = run(words, cwd=str(ROOT), env={"PATH": str(tmp_path)}, stderr=subprocess.STDOUT)
    if there == "c++ git":
        assert done.returncode == 0 and "No wheel for 64-bit ARM" in done.stdout, done.stdout
    else:
        lacking = "git" if there else "c++"
        assert done.returncode == 2 and f"make release lacks {lacking}" in done.stdout, done.stdout

"""Two processes that write one file leave it whole."""

import os
import threading

from hotpath.base import cache


def test_writers_of_one_file_never_meet(tmp_path):
    path = tmp_path / "a.json"
    (tmp_path / "precious").write_text("kept")
    os.symlink(tmp_path / "precious", tmp_path / "a.json.part")
    failed = []

    def write(text):
        try:
            for _ in range(50):
                cache.write_text(path, text * 1000)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(set(path.read_text())) == 1
    assert (tmp_path / "precious").read_text() == "kept"
    assert not path.stat().st_mode & 0o111 and path.stat().st_mode & 0o400

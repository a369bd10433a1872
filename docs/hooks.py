"""What `mkdocs build` does besides: the documents of the root become pages of the site."""

import pathlib
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = {
    "index.md": "README.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SECURITY.md": "SECURITY.md",
}


def on_files(files, config):
    """Add the documents of the repository's root, with links as from docs/."""
    for page, name in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        text = re.sub(r"\]\((docs/)", "](", text)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, **_):
    """Let links from docs/ to the root's documents lead to their pages."""
    up = r"\]\((?:\.\./)+README\.md"
    depth = page.file.src_uri.count("/")
    return re.sub(up, "](" + "../" * depth + "index.md", markdown)

"""Builds the pages of the project as a site: `python docs/site/build.py` writes build/site; `make docs` calls it.

Its home is the README, its pages are those of docs/ and benchmarks/, and each public module of the package has a page
made from its docstrings. Sources are staged in build/site-source under the paths that they have in the repository, so
that links work in both places. Sphinx's warnings are errors, and every internal link of the finished pages is followed;
nothing is looked up in the network.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# A link of Markdown to something of this repository: (text](path#anchor).
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")
SECTIONS = {
    "How to": ["docs/how-to/one-line", "docs/how-to/data", "docs/how-to/front", "docs/how-to/search", "docs/how-to/*"],
    "More": ["docs/gallery", "docs/architecture", "docs/*", "deploy/index", "CONTRIBUTING", "CHANGELOG"],
    "Reference": ["api/index"],
    "Measurements": ["benchmarks/results/index", "benchmarks/*"],
}


def pages() -> list[Path]:
    """All pages that the repository holds, by paths within it."""
    found = [Path(name) for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    for pattern in ("docs/*.md", "docs/how-to/*.md", "benchmarks/*_notes.md", "benchmarks/results/*.md"):
        found += sorted(path.relative_to(ROOT) for path in ROOT.glob(pattern))
    # Notes without a title are parts of a page of results.
    return [path for path in found if (ROOT / path).read_text("utf-8").startswith("# ")]


def stage(source: Path) -> None:
    """Writes the pages below `source`, with the files that they link to; the README becomes the home, index.md.

    Raises:
        SystemExit: a page links to what is not there.
    """
    broken = []
    for page in pages():
        text = (ROOT / page).read_text("utf-8")
        for match in LINK.finditer(text):
            target = (ROOT / page.parent / match[1]).resolve()
            if not target.exists():
                broken.append(f"{page}: link to {match[1]}, which does not exist")
            elif target.is_dir():
                _page_of_folder(source, target)
            elif target.suffix != ".md":
                _copy(target, source / target.relative_to(ROOT))
        if page.name == "README.md":
            page = page.with_name("index.md")
            text += _contents()
        copy = source / page
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(LINK.sub(lambda match, page=page: _as_staged(match, page), text), "utf-8")
    _page_of_folder(source, ROOT / "benchmarks/results")
    if broken:
        raise SystemExit("\n".join(broken))


def _as_staged(match: re.Match[str], page: Path) -> str:
    path, anchor = match[1], match[2] or ""
    if (ROOT / page.parent / path).is_dir():
        path = f"{path.rstrip('/')}/index.md"
    return f"]({re.sub(r'README.md$', 'index.md', path)}{anchor})"


def _page_of_folder(source: Path, folder: Path) -> None:
    """A page that lists what a folder holds, for links to folders: pages by their titles, other files to be saved."""
    here = folder.relative_to(ROOT)
    known = pages()
    notes, files = [], []
    for path in sorted(folder.iterdir()):
        if here / path.name in known:
            notes.append(path.name)
        elif path.is_file() and path.suffix in {".yaml", ".json", ".sh", ".lock"} | {""}:
            _copy(path, source / here / path.name)
            files.append(f"- [{path.name}]({path.name})")
    lines = [f"# `{here}`", "", *files]
    if notes:
        lines += ["", "```{toctree}", ":maxdepth: 1", "", *notes, "```"]
    (source / here).mkdir(parents=True, exist_ok=True)
    (source / here / "index.md").write_text("\n".join(lines) + "\n", "utf-8")


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def _contents() -> str:
    lines = []
    for caption, names in SECTIONS.items():
        lines += ["", "```{toctree}", ":hidden:", ":glob:", f":caption: {caption}", "", *names, "```"]
    return "\n".join(lines) + "\n"


class _Links(HTMLParser):
    """What a page of HTML links to, and what may be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {""}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [value for name in ("href", "src") if (value := given.get(name))]
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}


def broken_links(site: Path) -> Iterator[str]:
    """Each link between the pages below `site` that leads nowhere, as 'page: link'."""
    read: dict[Path, _Links] = {}
    for path in sorted(site.rglob("*.html")):
        read[path] = _Links()
        read[path].feed(path.read_text("utf-8"))
    for path, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            if target.is_dir():
                target /= "index.html"
            known = read.get(target)
            if not target.is_file() or (known is not None and unquote(parts.fragment) not in known.anchors):
                yield f"{path.relative_to(site)}: {link}"


def build(folder: Path, theme: str | None = None) -> None:
    """Builds the site into `folder`/site.

    Args:
        folder: what is made on the way lies there, too.
        theme: another than that of conf.py.
    Raises:
        SystemExit: Sphinx warns of something (it has said what), or a link leads nowhere.
    """
    source, site = folder / "site-source", folder / "site"
    for path in (source, site):
        shutil.rmtree(path, ignore_errors=True)
    stage(source)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-c", str(HERE)]
    command += ["-D", f"html_theme={theme}"] if theme else []
    ended = subprocess.run([*command, "-d", str(folder / "site-doctrees"), str(source), str(site)], cwd=ROOT)
    if ended.returncode:
        raise SystemExit("the site has warnings (above); each names the page or docstring to mend")
    if broken := list(broken_links(site)):
        raise SystemExit("links that lead nowhere:\n" + "\n".join(broken))


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build")

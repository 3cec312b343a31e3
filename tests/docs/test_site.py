"""The site: all pages and docstrings become HTML without a warning, every link leads somewhere, every name is there."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

for tool in ("sphinx", "myst_parser", "furo"):
    pytest.importorskip(tool, reason=f"{tool} is not installed: pip install -e '.[dev]'")

SITE = Path(__file__).parents[2] / "docs/site"


@pytest.fixture(scope="module")
def names() -> Iterator[ModuleType]:
    sys.path.insert(0, str(SITE))
    yield importlib.import_module("_names")
    sys.path.remove(str(SITE))


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_builder", SITE / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.timeout(900)  # a minute of one core, which others may want too
def test_the_site_is_built_without_a_warning_and_has_every_public_name(
    builder: ModuleType, names: ModuleType, tmp_path: Path
) -> None:
    builder.build(tmp_path, theme="basic")  # half the time
    pages = {path.stem: path.read_text("utf-8") for path in (tmp_path / "site/api").glob("*.html")}
    assert set(pages) - {"index"} == set(names.public_modules())
    assert not [page for page in pages if "._" in page]
    anchors = {name: page for page, text in pages.items() for name in names.homes().values() if f'id="{name}"' in text}
    assert set(names.homes().values()) - set(anchors) == set()
    for module in names.public_modules():
        assert [name for name in names.exported(module) if f">{name}</span>" not in pages[module]] == []
    assert "Evolve neural networks" in (tmp_path / "site/index.html").read_text("utf-8")


def test_a_link_that_leads_nowhere_is_found(builder: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<p id="here"><a href="b.html#there">b</a> <a href="#here">a</a> <img src="c.png">'
    )
    (tmp_path / "b.html").write_text('<a href="https://example.org/x">elsewhere</a> <a href="a.html#here">a</a>')
    assert list(builder.broken_links(tmp_path)) == ["a.html: b.html#there", "a.html: c.png"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DAG", "nas.graph.DAG"),
        ("DAG.from_edges", "nas.graph.DAG.from_edges"),
        ("nas.DAGModule", "nas.engine.DAGModule"),
        ("nas.graph", "nas.graph"),
        ("nas.engine._plan", None),  # private
        ("rows", None),  # some argument
        ("torch.Tensor", None),
        ("a_j * x_j", None),
    ],
)
def test_a_name_in_a_docstring_is_found_where_it_is_documented(names: ModuleType, text: str, found: str | None) -> None:
    assert names.documented(text, "nas.engine._module") == found


@pytest.mark.parametrize("text", ["DAG.from_nothing", "nas.graph.no_such_name", "nas.no_such_module"])
def test_a_name_that_does_not_exist_is_an_error(names: ModuleType, text: str) -> None:
    with pytest.raises(names.BrokenReference, match=r"no_such|from_nothing"):
        names.documented(text, "nas.engine._module")

"""What Sphinx is told of the package: a page of each public module, and docstrings as this project writes them.

Docstrings have names in single backticks, which are linked to where they are documented, literals in double ones, and
otherwise plain text: a star or bar in it is no markup. Fields and constants are described by the comment at their line.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tokenize
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _names import (
    BrokenReference,
    definition,
    documented,
    exported,
    homes,
    public_modules,
    source_of,
    tree_of,
)
from docutils import nodes
from pydantic import BaseModel
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.logging import getLogger

LOG = getLogger(__name__)
NAPOLEON = Config(napoleon_use_rtype=False, napoleon_use_ivar=True)
FIRST = ("nas", "nas.study", "nas.estimators", "nas.job", "nas.errors")  # the others follow by name
SECTIONS = ("Args:", "Attributes:", "Example:", "Examples:", "Raises:", "Returns:", "Yields:")
_CODE = re.compile(r"(``.+?``)|(?<![`\w])`([^`]+)`(?![`_\w])", re.DOTALL)
_ENTRY = re.compile(r" *[A-Za-z_][\w., ]*: \S")


def write_pages(app: Sphinx) -> None:
    """Writes api/index.rst and a page for each public module below the source folder."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    tops = [module for module in public_modules() if module.count(".") == 1]
    order = [*FIRST, *(module for module in tops if module not in FIRST)]
    lines = [*_title("Reference"), "Each public module, from its docstrings.", "", *_toctree(order)]
    (folder / "index.rst").write_text("\n".join(lines), "utf-8")
    for module in public_modules():
        _comments_as_docs(module)
    for module in public_modules():
        (folder / f"{module}.rst").write_text("\n".join(_page(module)), "utf-8")


def _title(text: str) -> list[str]:
    return [text, "=" * len(text), ""]


def _toctree(names: list[str]) -> list[str]:
    return [".. toctree::", "   :maxdepth: 1", "", *(f"   {name}" for name in names), ""]


def _page(module: str) -> list[str]:
    lines = [*_title(module), f".. automodule:: {module}", "   :no-members:", ""]
    parent = module.rpartition(".")[0]
    inner = [m for m in public_modules() if m.rpartition(".")[0] == module] if module != "nas" else []
    if parent not in ("", "nas"):
        lines = [":orphan:", "", *lines, f"Part of :doc:`{parent}`.", ""]  # the tree of all pages takes time on each
    names = exported(module)
    here = [name for name in names if homes()[definition(module, name)] == f"{module}.{name}"]
    lines += _table(module, names)
    for name in here:
        home, value = f"{module}.{name}", getattr(importlib.import_module(module), name)
        if inspect.isclass(value):
            kind = "exception" if issubclass(value, BaseException) else "class"
            lines += [f".. auto{kind}:: {home}", "   :members:", "   :undoc-members:"]
            lines += ["   :show-inheritance:"] if value.__bases__ != (object,) else []
            lines += ["   :exclude-members: model_config, model_post_init", ""]
        elif inspect.isroutine(value) or hasattr(value, "py_func"):
            lines += [f".. autofunction:: {home}", ""]
        else:
            lines += [f".. autodata:: {home}", "   :no-value:", ""]
    if inner:
        lines += [".. rubric:: Modules", "", *(f"- :doc:`{name}`" for name in inner), ""]
    return lines


def _table(module: str, names: Sequence[str]) -> list[str]:
    """The names of a page, each with the first sentence of what is said of it, wherever that is."""
    lines = [".. list-table::", "   :class: names", ""] if names else []
    for name in names:
        source, there = definition(module, name)
        value = getattr(importlib.import_module(source), there)
        comment = ModuleAnalyzer.for_module(source).attr_docs.get(("", there))
        told = inspect.isclass(value) or inspect.isroutine(value) or hasattr(value, "py_func")
        text = comment[0] if comment else (inspect.getdoc(value) or "") if told else ""
        sentence = re.split(r"(?<=[.:;])\s|\n\n", text, maxsplit=1)[0].rstrip(":;")
        said = _plain(" ".join(sentence.split()), _linker(name, source, "", set()))
        lines += [f"   * - :py:obj:`{name} <{homes()[source, there]}>`", f"     - {said}"]
    return [*lines, ""]


def _comments_as_docs(module: str) -> None:
    """Has autodoc take the comments beside fields and constants, and the descriptions of pydantic's fields."""
    for source in {definition(module, name)[0] for name in exported(module)}:
        analyzer = ModuleAnalyzer.for_module(source)
        analyzer.analyze()
        found = _described(source)
        analyzer.attr_docs = {**found, **analyzer.attr_docs}
    page = ModuleAnalyzer.for_module(module)
    page.analyze()
    for name in exported(module):
        source, there = definition(module, name)
        if doc := ModuleAnalyzer.for_module(source).attr_docs.get(("", there)):
            page.attr_docs.setdefault(("", name), doc)


def _described(module: str) -> dict[tuple[str, str], list[str]]:
    with tokenize.open(source_of(module)) as file:
        comments = {
            token.start[0]: (token.string.lstrip("#: "), not token.line[: token.start[1]].strip())
            for token in tokenize.generate_tokens(file.readline)
            if token.type == tokenize.COMMENT and not re.match(r"#\s*(type:|noqa|fmt:|pragma)", token.string)
        }
    found: dict[tuple[str, str], list[str]] = {}
    for owner, statement in _assignments(tree_of(module)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for name in [target.id for target in targets if isinstance(target, ast.Name)]:
            if text := _description(module, owner, name) or _comment(statement, comments):
                found[owner, name] = [text, ""]
    return found


def _assignments(tree: ast.Module) -> list[tuple[str, ast.Assign | ast.AnnAssign]]:
    found = []
    for owner in [tree, *(s for s in tree.body if isinstance(s, ast.ClassDef))]:
        name = owner.name if isinstance(owner, ast.ClassDef) else ""
        found += [(name, s) for s in owner.body if isinstance(s, ast.Assign | ast.AnnAssign)]
    return found


def _description(module: str, owner: str, field: str) -> str:
    kind = getattr(importlib.import_module(module), owner) if owner else None
    if not (inspect.isclass(kind) and issubclass(kind, BaseModel)) or field not in kind.model_fields:
        return ""
    return " ".join((kind.model_fields[field].description or "").split())


def _comment(statement: ast.stmt, comments: dict[int, tuple[str, bool]]) -> str:
    for line in {statement.end_lineno, statement.lineno}:
        if line in comments and not comments[line][1]:
            return comments[line][0]
    above = []
    line = statement.lineno - 1
    while line in comments and comments[line][1]:
        above.append(comments[line][0])
        line -= 1
    return " ".join(reversed(above))


def docstring(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Makes a docstring of this project reStructuredText: links, aligned columns, and everything else plain."""
    if what == "data" and " ".join(lines).split() == (inspect.getdoc(value) or "").split():
        lines.clear()  # without a comment it would be described as its type is: a dictionary by what `dict` does
    module, owner = _written_in(what, name, value)
    if not module.startswith("nas"):
        lines.clear()  # of a base class of another library: its markup is its own
        return
    try:
        arguments = set(inspect.signature(value).parameters)
    except (TypeError, ValueError):
        arguments = set()

    link = _linker(name, module, owner, arguments)
    lines[:] = _with_blocks(lines)
    text, literal = "\n".join(lines), re.compile(r"(::\n\n(?: +.*\n|\n)+|^ *>>>.*$(?:\n *\S.*$)*)", re.MULTILINE)
    parts = literal.split(text + "\n")
    for at in range(0, len(parts), 2):
        parts[at] = _plain(parts[at], link)
    # Not as an extension: its rule of which members to show calls them, and pydantic's refuse that.
    lines[:] = GoogleDocstring("".join(parts), NAPOLEON, app, what, name, value, options).lines()


def _linker(name: str, module: str, owner: str, arguments: set[str]) -> Callable[[str], str]:
    """What turns a name in the docstring of `name` into a link, or code where it has no place of its own."""

    def link(text: str) -> str:
        target = None
        try:
            target = None if text in arguments else documented(text.removesuffix("()"), module, owner)
        except BrokenReference as error:
            LOG.warning("docstring of %s: `%s` is %s, which does not exist", name, text, error)
        return f":py:obj:`{text} <{target}>`" if target and target != name else f"``{text}``"

    return link


def _plain(text: str, link: Callable[[str], str]) -> str:
    done, at = [], 0
    for match in _CODE.finditer(text):
        done += [_escaped(text[at : match.start()]), match[1] or link(match[2])]
        if text[match.end() : match.end() + 1].isalnum():
            done.append("\\ ")  # the plural of a name
        at = match.end()
    return "".join([*done, _escaped(text[at:])])


def _escaped(text: str) -> str:
    return re.sub(r"([*|`])|(?<=\w)(_)(?!\w)", r"\\\1\2", text)


def _with_blocks(lines: list[str]) -> list[str]:
    """The lines, with indented blocks made what they are: lists of ``name: what it is``, or text to keep."""
    done: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        done.append(line)
        at += 1
        depth, block = _depth(line), []
        while at + len(block) < len(lines) and (not lines[at + len(block)] or _depth(lines[at + len(block)]) > depth):
            block.append(lines[at + len(block)])
        while block and not block[-1]:
            block.pop()
        if not any(block) or re.match(r"\s*(>>>|[-*] |\d+\. )", line):
            continue
        at += len(block)
        if line.strip() in SECTIONS:
            done += map(_one_name, block)
        elif line.endswith("::"):
            done += block
        elif all(map(_ENTRY.match, (entry for entry in block if _depth(entry) == _depth(block[0] or block[1])))):
            done += ["", *_as_list(block), ""]
        else:
            if line:
                done[-1] = line.rstrip(":") + ("::" if line.endswith(":") else "")
            done += ["" if line.endswith(":") else " " * depth + "::", "", *block, ""]
    return done


def _one_name(entry: str) -> str:
    """An entry of a section whose names (``a, b: text``) are one word: else the first would be the last one's type."""
    return re.sub(r"^ *\w+(, \w+)+(?=: )", lambda names: names[0].replace(", ", ",\u200b"), entry)


def _as_list(block: list[str]) -> list[str]:
    depth = _depth(next(filter(None, block)))
    return [
        " " * depth + re.sub(r"^([^:]+): ", r"- ``\1``: ", line[depth:]) if _depth(line) == depth else line
        for line in block
    ]


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _written_in(what: str, name: str, value: Any) -> tuple[str, str]:
    """The module that a documented thing is written in, and the class that it belongs to."""
    if what == "module":
        return name, ""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:cut])
        if module in public_modules():
            source, there = definition(module, parts[cut])
            inherited = getattr(value, "__module__", None) if inspect.isroutine(value) else None
            return inherited or source, there if inspect.isclass(
                getattr(importlib.import_module(source), there)
            ) else ""
    raise ValueError(f"no public module holds {name}")


def signature(
    app: Sphinx, what: str, name: str, value: Any, options: Any, text: str | None, returns: str | None
) -> Any:
    """Leaves out the signatures of pydantic's models, whose fields are listed below them; aliases keep their names."""
    if inspect.isclass(value) and issubclass(value, BaseModel):
        return "", None
    plain = [part and re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", part) for part in (text, returns)]
    return tuple(plain)


def exact(app: Sphinx, tree: nodes.document) -> None:
    """Has types of signatures mean what they say: ``bytes`` is no attribute of that name, wherever one is."""
    for node in tree.findall(pending_xref):
        if node.get("refdomain") == "py":
            node.attributes.pop("refspecific", None)
            node.attributes.pop("py:class", None)


def missing(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node) -> nodes.Node | None:
    """Types of signatures that are documented under another name; others stay plain text."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    try:
        known = documented(target, node.get("py:module") or "nas") if target.startswith("nas.") else None
    except BrokenReference:
        known = None
    if known and known != target:
        node["reftarget"] = known
        found = env.domains.python_domain.resolve_xref(
            env, node["refdoc"], app.builder, node["reftype"], known, node, content
        )
        if found is not None:
            return found
    return content


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", docstring)
    app.connect("autodoc-process-signature", signature)
    app.connect(
        "autodoc-skip-member", lambda app, what, name, value, skip, options: skip, priority=100
    )  # no other rule
    app.connect("doctree-read", exact)
    app.connect("missing-reference", missing)

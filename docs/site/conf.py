"""Sphinx's settings for the site; `build.py` beside this calls it. The pages of modules are written by `_api.py`."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import _api  # noqa: E402 - found through the line above

project = "dag-nas"
copyright = ""
extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
root_doc = "index"

html_theme = "furo"
html_title = "dag-nas"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_static_path = [str(Path(__file__).parent / "style.css")]
html_css_files = ["style.css"]
pygments_style = "default"

myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # notes that are parts of a page of results begin with its second level

# Google's sections.

napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_type_aliases = {"ArrayLike": "ArrayLike"}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
highlight_language = "none"
toc_object_entries = False  # each page lists its names; in the tree of all pages they take minutes


def setup(app: object) -> None:
    _api.setup(app)

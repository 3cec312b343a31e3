"""Networks as plain C: one file and a header for where no Python runs.

`_program` says what a network computes, `_float` writes that as text; `_source` puts the files together.
"""

from nas.cexport._source import CSource, Layout, c_source, export_c

__all__ = ["CSource", "Layout", "c_source", "export_c"]

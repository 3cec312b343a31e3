"""Networks as plain C: one file and a header for where no Python runs.

`_program` says what a network computes. `_float` writes that as text; `_quantise` makes an `IntegerNetwork` of it,
which is the specification of what `_integer` writes. `_source` puts the files together.
"""

from nas.cexport._costs import ChipCosts, chip_costs
from nas.cexport._integers import Inputs8, IntegerNetwork
from nas.cexport._program import Program
from nas.cexport._source import CSource, Layout, Precision, c_source, export_c

__all__ = [
    "CSource",
    "ChipCosts",
    "Inputs8",
    "IntegerNetwork",
    "Layout",
    "Precision",
    "Program",
    "c_source",
    "chip_costs",
    "export_c",
]

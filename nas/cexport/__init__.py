"""Networks as plain C: one file and a header for where no Python runs.

`_program` says what a network computes. `_float` writes that as text; `_quantise` makes an `IntegerNetwork` of it,
which is the specification of what `_integer` writes, and which `_finish` trains on. `_source` puts the files together.
"""

from nas.cexport._compiled import c_compiler, compiled_loop
from nas.cexport._costs import ChipCosts, chip_costs, costs_of_integers
from nas.cexport._finish import FINISHING_STEPS
from nas.cexport._integers import Inputs8, IntegerNetwork
from nas.cexport._program import Program
from nas.cexport._source import CSource, Layout, Precision, c_source, export_c, integers_of

__all__ = [
    "FINISHING_STEPS",
    "CSource",
    "ChipCosts",
    "Inputs8",
    "IntegerNetwork",
    "Layout",
    "Precision",
    "Program",
    "c_compiler",
    "c_source",
    "chip_costs",
    "compiled_loop",
    "costs_of_integers",
    "export_c",
    "integers_of",
]

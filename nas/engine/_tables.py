"""What compiled passes read of a plan: one table of words, numbers and addresses, each at the place named here.

One table, so that a pass is handed one address instead of twenty arguments. A plan that is walked edge by edge has the
words up to `EDGES`; one with dense runs (`nas.engine._dense`, whose glossary says what the arrays are) has all of them.
"""

from __future__ import annotations

from typing import Final

# Of the DAG: neurons and, of these, inputs and outputs; edges that are walked one by one (of a dense plan the rest).
N: Final = 0
N_INPUTS: Final = 1
N_OUTPUTS: Final = 2
WALKED: Final = 3
# Addresses of arrays.
IN_PTR: Final = 4
SOURCES: Final = 5
OUT_PTR: Final = 6
TARGETS: Final = 7
OUT_EDGES: Final = 8
USED_INPUTS: Final = 9
SLOTS: Final = 10
FIRSTS: Final = 11
RUN_PTR: Final = 12
STARTS: Final = 13
ENDS: Final = 14
PLACES: Final = 15
HOLES: Final = 16
# Counts: weights as they are stored, holes and all; edges of the DAG; panels, runs and holes.
STORED: Final = 17
EDGES: Final = 18
N_PANELS: Final = 19
N_RUNS: Final = 20
N_HOLES: Final = 21

WORDS: Final = 22
WORDS_WITHOUT_RUNS: Final = 19

"""Categories that training never saw are said at prediction; targets that are given twice, and columns, are refused."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from nas._given_data import GivenData, data_section
from nas.checkpoint import EncodedColumn, UnlikeTrainingWarning
from nas.checkpoint._inputs import Inputs
from nas.errors import DataError

TWO = EncodedColumn("c", "category", levels=("b",), base="a")
OTHERS = EncodedColumn("c", "category", levels=("a", "b"), other=True)


@pytest.mark.parametrize(
    ("column", "cells", "said"),
    [
        (TWO, ["a", "b", "Z"], "'Z' and the like in 1 of 3 rows, which training saw never"),
        (TWO, [None, "b"], "missing.* in 1 of 2 rows"),
        (TWO, ["a", "b"], None),
        (OTHERS, ["a", "b", "Z"], None),
        (OTHERS, ["X", "a", "Z"], "'X' and the like in 2 of 3 rows, which training saw rarely or never"),
    ],
)
def test_categories_that_training_never_saw(column: EncodedColumn, cells: list[str | None], said: str | None) -> None:
    inputs, given = Inputs.__new__(Inputs), np.array(cells, dtype=object)
    if said is None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            inputs._compare_categories(column, given)
    else:
        with pytest.warns(UnlikeTrainingWarning, match=said):
            inputs._compare_categories(column, given)


def test_what_is_given_twice_is_refused() -> None:
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    with pytest.raises(DataError, match="targets are given twice, as y .y. and as target='b'"):
        data_section(GivenData(table, pd.Series([0, 1], name="y")), None, "b")  # type: ignore[arg-type]

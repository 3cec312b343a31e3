"""What `nas predict` writes is data to whatever opens it."""

from __future__ import annotations

import pandas as pd
import pytest

from nas.cli import _predict


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t")])
def test_no_label_of_a_model_is_a_formula_to_a_spreadsheet(suffix: str, separator: str, tmp_path) -> None:
    labels = ["=cmd|'/C calc'!A0", "@x", "-1.5", "+3", "plain", "\t=1"]
    answers = pd.DataFrame({"y": labels, "=p": [0.5, -0.5, 1.0, 1.0, 1.0, 1.0]})
    out = tmp_path / f"answers{suffix}"
    _predict._written(answers, out)
    read = pd.read_csv(out, sep=separator, dtype=str)
    assert list(read.columns) == ["y", "'=p"]
    assert list(read["y"]) == ["'=cmd|'/C calc'!A0", "'@x", "-1.5", "+3", "plain", "'\t=1"]
    assert list(read["'=p"])[:2] == ["0.5", "-0.5"]

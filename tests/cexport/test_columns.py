"""Rows of a mixed table in C, compiled, against the predictor of the same network."""

import ctypes
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import nas
from nas.cexport import c_source
from nas.checkpoint import EncodedColumn, Encoding, Predictor, cells_of, load, save
from nas.errors import ExportError
from tests.cexport.compilers import STRICT, Library, needed, run, selftest
from tests.cexport.networks import network

ROWS = 120
CITIES = ("Oslo", "São Paulo", "x*/ int y;", "ГОРОД", "3")
TYPES = {"float": ctypes.c_float, "uint8_t": ctypes.c_uint8, "int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64}
INT32_MIN, INT64_MIN = -(2**31), -(2**63)


@st.composite
def drawn_columns(draw: st.DrawFn) -> tuple[EncodedColumn, ...]:
    """Columns of all kinds, at least one of which is no plain number; names that C could misread."""
    columns = [EncodedColumn(draw(st.sampled_from(["int", "A b", "2nd", "ä"])), "number")]
    for k in range(draw(st.integers(1, 6))):
        name = draw(st.sampled_from(["class", "a-b", "row", "inputs", "read", "größe", "t*/"])) + "!" * k
        kind = draw(st.sampled_from(["number", "integer", "boolean", "category", "date"]))
        fill = draw(st.none() | st.integers(-3, 9).map(float))
        if kind == "category":
            levels = draw(st.lists(st.sampled_from((*CITIES, "")), min_size=1, max_size=4, unique=True))
            base = levels.pop() if len(levels) == 2 else None
            columns.append(EncodedColumn(name, kind, None, False, tuple(levels), base, draw(st.booleans())))
        else:
            parts: tuple[str, ...] = ()
            if kind == "date":
                parts = tuple(
                    draw(st.lists(st.sampled_from(["days", "month", "weekday", "hour"]), min_size=1, unique=True))
                )
                fill = None if fill is None else 3600.0 * 24 * 7000 * fill
            elif kind == "boolean":
                fill = None if fill is None else float(fill > 0)
            flagged = fill is not None and draw(st.booleans())
            knots: tuple[float, ...] = ()
            if kind in ("number", "integer"):
                ends = st.integers(-40, 60).map(float)
                knots = draw(st.just(()) | st.lists(ends, min_size=2, max_size=5, unique=True).map(sorted).map(tuple))
            columns.append(EncodedColumn(name, kind, fill, flagged, parts=parts, knots=knots))
    if all(column.plain for column in columns):
        columns.append(EncodedColumn("flag", "number", 1.0, True))
    return tuple(columns)


def table_of(columns: tuple[EncodedColumn, ...], seed: int) -> pd.DataFrame:
    """Rows with every kind of cell that is allowed: missing ones, unknown categories, dates before 1970."""
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {}
    for column in columns:
        missing = (rng.random(ROWS) < 0.2) & (column.fill is not None)
        match column.kind:
            case "category":
                found[column.name] = rng.choice(np.array([*CITIES, "nobody knows", None], dtype=object), ROWS)
            case "date":
                seconds = rng.integers(-(2**31), 2**32, ROWS).astype("datetime64[s]")
                found[column.name] = pd.Series(seconds).where(~pd.Series(missing))
            case "boolean":
                found[column.name] = np.where(missing, np.nan, rng.random(ROWS) < 0.5)
            case "integer":
                found[column.name] = np.where(missing, np.nan, rng.integers(-50, 300, ROWS))
            case _:
                found[column.name] = np.where(missing, np.nan, rng.normal(3, 20, ROWS).astype(np.float32))
    return pd.DataFrame(found)


def made(columns: tuple[EncodedColumn, ...], seed: int, folder: Path) -> tuple[Predictor, pd.DataFrame, np.ndarray]:
    """A network for such columns, rows, and what these become."""
    encoding = Encoding(columns)
    table = table_of(columns, seed)
    raw = encoding.apply([cells_of(table[column.name], column.kind, column.name) for column in columns])
    scale = np.where(raw.std(axis=0) > 0, raw.std(axis=0), 1.0)
    record = {
        "task": "classification",
        "statistics": {"mean": raw.mean(axis=0).tolist(), "scale": scale.tolist(), "classes": ["a", "b", "c"]},
        "feature_names": list(encoding.names),
        "encoding": encoding.to_json(),
        "columns": {"kinds": [column.kind for column in columns], "named": True},
    }
    save(folder / "net.safetensors", network(seed, inputs=raw.shape[1], density=0.5), record)
    return Predictor(load(folder / "net.safetensors")), table, raw


def rows_of(header: str, columns: tuple[EncodedColumn, ...], table: pd.DataFrame, prefix: str) -> Any:
    """The table as an array of the header's struct, by what the header says alone."""
    enums = {name: int(code) for name, code in re.findall(r"^    (\w+) = (\d+),? /\*", header, re.M)}
    fraction = dict(re.findall(r"#define (\w+) (-?\d+)$", header, re.M))
    fields = re.findall(r"^    (float|u?int\d+_t) (\w+); /\*", header.split("typedef struct {")[1].split("}")[0], re.M)
    assert len(fields) == len(columns)
    struct: Any = type("Row", (ctypes.Structure,), {"_fields_": [(name, TYPES[kind]) for kind, name in fields]})
    found = (struct * len(table))()
    blocks = re.findall(r"enum \{\n(.*?)\n\};", header, re.S)
    codes = iter([re.findall(r"^    (\w+) = \d+,? /\* (.*) \*/", block, re.M) for block in blocks])
    for column, (kind, field) in zip(columns, fields, strict=True):
        known = next(codes) if column.kind == "category" else []
        levels = [*column.levels, *([] if column.base is None else [column.base])]
        constants = {level: name for level, (name, _) in zip(levels, known[:-1], strict=True)} if known else {}
        for row, cell in zip(found, table[column.name], strict=True):
            if column.kind == "category":
                value: Any = enums[constants.get("" if pd.isna(cell) else cell, known[-1][0])]
            elif column.kind == "date":
                value = INT64_MIN if pd.isna(cell) else int(pd.Timestamp(cell).timestamp())
            elif kind == "float":
                value = cell
            else:
                bits = int(fraction[f"{prefix.upper()}_{field.upper()}_FRACTION"])
                value = INT32_MIN if pd.isna(cell) else int(np.rint(np.ldexp(float(cell), bits)))
            setattr(row, field, value)
    return found


def predicted(library: Library, prefix: str, rows: Any, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    outputs = np.zeros((len(rows), 3), dtype)
    function = library[f"{prefix}_predict_row"]
    returned = [
        function(ctypes.byref(row), ctypes.c_void_p(out.ctypes.data)) for row, out in zip(rows, outputs, strict=True)
    ]
    return np.array(returned), outputs


@settings(
    max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(columns=drawn_columns(), seed=st.integers(0, 999))
def test_a_row_of_any_table_gives_what_the_predictor_gives(
    columns: tuple[EncodedColumn, ...], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    predictor, table, raw = made(columns, seed, folder)
    sources = {
        "net": nas.export_c(predictor, folder / "net.c"),
        "small": nas.export_c(predictor, folder / "small.c", layout="tables"),
        "ints": nas.export_c(predictor, folder / "ints.c", precision="int8", samples=raw),
    }
    library = Library(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = predictor.outputs(table)
    for name, source in sources.items():
        rows = rows_of(source.header, columns, table, name)
        if source.integers is None:
            returned, found = predicted(library, name, rows, np.float32)
            # Days since 1970 are of the size of 10,000, of which float32 holds thousandths.
            assert np.abs(found - expected).max() <= 1e-4 * max(np.abs(expected).max(), 1.0)
        else:
            returned, found = predicted(library, name, rows, np.int32)
            wanted = source.integers.run(source.integers.inputs.fixed(raw))
            if any(column.knots for column in columns):  # the ramp of a number in fixed point, not of the number
                steps = np.abs(found - wanted) / max(int(np.abs(wanted).max()), 1)
                assert (steps == 0).mean() >= 0.7 and steps.max() <= 0.1
            else:
                np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(returned, found.argmax(axis=1))
        assert selftest(folder, folder / f"{name}.c", name) == 0


def test_what_was_never_missing_must_not_be(tmp_path: Path) -> None:
    columns = (
        EncodedColumn("age", "number", 40.0, True),
        EncodedColumn("fee", "number"),
        EncodedColumn("since", "date", parts=("days",)),
    )
    predictor, table, raw = made(columns, 1, tmp_path)
    sources = {
        "net": nas.export_c(predictor, tmp_path / "net.c"),
        "ints": nas.export_c(predictor, tmp_path / "ints.c", precision="int6", samples=raw),
    }
    library = Library(tmp_path)
    for name, source in sources.items():
        rows = rows_of(source.header, columns, table, name)
        rows[0].fee, rows[1].since = (np.nan if source.integers is None else INT32_MIN), INT64_MIN
        returned, _ = predicted(library, name, rows, np.float32 if source.integers is None else np.int32)
        assert (returned[:2] == -1).all() and (returned[2:] >= 0).all()


def test_the_file_is_clean_under_clang_and_cppcheck_and_fits_small_processors(tmp_path: Path) -> None:
    columns = (
        EncodedColumn("age", "integer", 40.0, True, knots=(18.0, 40.0, 80.5)),
        EncodedColumn("city", "category", levels=CITIES, other=True),
        EncodedColumn("since", "date", 1e9, True, parts=("days", "month", "weekday", "hour")),
    )
    predictor, _, raw = made(columns, 2, tmp_path)
    nas.export_c(predictor, tmp_path / "net.c")
    nas.export_c(predictor, tmp_path / "ints.c", precision="int8", samples=raw)
    Library(tmp_path, "clang")
    for name in ("net", "ints"):
        run(
            needed("cppcheck"), "--enable=warning,style,performance,portability", "--std=c99", "--quiet",
            "--error-exitcode=1", "--suppress=missingIncludeSystem", tmp_path / f"{name}.c",
        )  # fmt: skip
    for compiler, option in (("arm-none-eabi-gcc", "-mcpu=cortex-m0"), ("avr-gcc", "-mmcu=atmega328p")):
        run(needed(compiler), *STRICT, "-Os", option, "-c", tmp_path / "ints.c", "-o", tmp_path / "ints.o")


def test_plain_numbers_need_no_row_and_an_encoding_that_does_not_fit_is_refused() -> None:
    module = network(1)
    names = [f"x{k}" for k in range(6)]
    plain = Encoding(tuple(EncodedColumn(name, "number") for name in names)).to_json()
    assert "predict_row" not in c_source(module, record={"encoding": plain}).header
    other = Encoding(tuple(EncodedColumn(name, "number") for name in names[:5])).to_json()
    with pytest.raises(ExportError, match="the record's encoding gives 5 inputs, but the network has 6"):
        c_source(module, record={"encoding": other})

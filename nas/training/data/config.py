"""The `data` section of a job file: which data, which column is the target, how it is split and scaled."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nas._text import check_each
from nas.checkpoint import notation_of

__all__ = ["BUILT_IN_SOURCES", "FILE_SUFFIXES", "TABLE_SUFFIXES", "TEXT_SUFFIXES", "DataConfig"]

BUILT_IN_SOURCES: Final = (
    "digits",
    "wine",
    "iris",
    "breast_cancer",
    "diabetes",
    "addsub",
    "recall",
    "parity",
    "mnist",
)
TEXT_SUFFIXES: Final = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
TABLE_SUFFIXES: Final = (*TEXT_SUFFIXES, ".parquet", ".xlsx")
_NAMED: Final = {"openml": "openml:NAME, e.g. openml:adult", "idx": "idx:FOLDER", "images": "images:FOLDER"}
FILE_SUFFIXES: Final = (*TABLE_SUFFIXES, ".npz")


class DataConfig(BaseModel):
    """Where data comes from and how it becomes the training, validation and test parts.

    A source is one of

    - a name: digits, wine, iris, breast_cancer, diabetes (bundled with scikit-learn), addsub (a toy), recall and
      parity (sequences, ten time steps in a row), mnist (IDX);
    - a file: ``.csv``, ``.tsv`` (also gzipped), ``.parquet``, ``.xlsx`` (columns: features and the target) or ``.npz``
      (arrays x and y, or
      x_train, y_train, x_test, y_test);
    - ``idx:FOLDER``: four files named as MNIST's, gzipped or not;
    - ``images:FOLDER``: PNG, JPEG or BMP files, a folder a class, below ``train`` and ``test`` where there are these;
    - ``openml:NAME`` or ``openml:NUMBER``: downloaded by scikit-learn;
    - ``module:function``: a function without arguments that returns ``(x, y)``, a table, either by part
      (`nas.training.data.held`), or a finished `Dataset`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(
        "digits",
        min_length=1,
        description="A name (" + ", ".join(BUILT_IN_SOURCES) + "), a .csv/.tsv/.parquet/.xlsx/.npz file, idx:FOLDER, "
        "images:FOLDER, openml:NAME, or module:function.",
    )
    target: str | tuple[str, ...] | None = Field(
        None, description="Target column, or columns for regression (default: the last column)."
    )
    drop: tuple[str, ...] = Field((), description="Columns that are neither features nor target.")
    keep: tuple[str, ...] = Field(
        (),
        description="Columns that are features although they look like row numbers, are constant, or differ in every "
        "row; such columns of a table are left out otherwise, and reported.",
    )
    kinds: dict[str, str] = Field(
        default_factory=dict,
        description="What columns of a table hold, where it is not what they look like: number, category or date, e.g. "
        "{zip: category}. How it is written may follow: the number 1234.5 as the column has it (number 1.234,5 €), "
        "number h:m:s for durations, date and a format (date %d/%m/%Y).",
    )
    missing: tuple[str, ...] = Field(
        (),
        description="Words or numbers of a table that stand for missing values ([-999, on request]), beside empty "
        "cells and marks such as NA, n/a, ?, null and unknown among numbers.",
    )
    ramps: Literal["auto"] | bool = Field(
        "auto",
        description="Whether numbers of a table also become ramps between their quantiles, by which a network has "
        "bends for nothing (auto: those of which a line does not say it all).",
    )
    task: Literal["auto", "classification", "regression"] = Field(
        "auto",
        description="auto: text, booleans, codes such as 01, and at most 20 different integers with five samples each "
        "on average are classes; the rest is regression.",
    )
    encoding: str = Field(
        "auto",
        description="Of a .csv or .tsv file, e.g. cp1250 (auto: UTF-8, UTF-16, or cp1252 where it reads like that; "
        "else refused).",
    )
    separator: str = Field(
        "auto",
        description="Between the cells of a .csv or .tsv file: one character (auto: of comma, semicolon, tab, |).",
    )
    decimal: Literal["auto", ".", ","] = Field("auto", description="Decimal mark of a .csv or .tsv file.")
    header: Literal["auto"] | bool = Field(
        "auto",
        description="Whether the first line of a .csv or .tsv file names the columns (auto: yes, but a line that could "
        "be data is refused).",
    )
    validation: float = Field(0.15, gt=0, lt=1, description="Share for validation (of all but a ready-made test part).")
    test: float = Field(0.2, gt=0, lt=1, description="Share for testing, where the source has no test part of its own.")
    standardise: Literal["auto", "feature", "global", "unit", "none"] = Field(
        "auto",
        description="Statistics of the training part: of each feature, of all values together (auto: images); unit: "
        "divide by the largest magnitude of all values, so that images are in 0…1.",
    )
    standardise_targets: bool | None = Field(
        None, description="Scale regression targets to mean 0, deviation 1 (default: yes; addsub: no)."
    )
    period: int | None = Field(
        None,
        ge=1,
        description="Row width of images, or features of a time step (default: known for images and sequences).",
    )
    channels: int | None = Field(
        None,
        ge=1,
        description="Numbers a pixel of images, side by side in rows of data.period (default: known for MNIST's files, "
        "folders of images and digits); says that arrays are images.",
    )
    pixels: int | None = Field(
        None,
        ge=2,
        le=1024,
        description="Images of a folder are resized to so many pixels a side (default: their own size where all have "
        "one of at most 64 x 64, else 32).",
    )
    split: Literal["auto", "random", "stratified", "grouped", "chronological"] = Field(
        "auto",
        description="How parts are drawn. stratified: each class with its share; grouped: rows with one value of "
        "data.group stay together; chronological: the latest rows are the test part, those before it the validation "
        "part (auto: as group or time say; else stratified for classes, random for numbers).",
    )
    group: str | None = Field(
        None, description="Column that says which rows belong together, e.g. of one patient; no feature."
    )
    time: str | None = Field(
        None,
        description="Column by which rows are ordered, for a chronological split (default: their order in the file); "
        "no feature unless data.keep names it.",
    )
    samples: int | None = Field(None, ge=10, description="Use at most so many samples (addsub, recall: draw so many).")
    class_weight: Literal["balanced"] | dict[str, float] | None = Field(
        None,
        description="What a sample of each class counts in training, by label; balanced: as much in all as every other "
        "class (the default where networks are judged by the balanced accuracy). Rows of the training part "
        "are repeated accordingly; validation and test part stay as they are.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Decides the split; the same for every trial.")

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # mappings have no hash of their own

    @field_validator("source")
    @classmethod
    def _known(cls, source: str) -> str:
        if ":" not in source and source not in BUILT_IN_SOURCES and Path(source).is_dir():
            return f"images:{source}"
        kind, _, rest = source.partition(":")
        if ":" in source and not (kind and rest):
            where = "before" if rest else "after"
            raise ValueError(f"something is missing {where} the colon: {_NAMED.get(kind, 'module:function')}")
        if ":" in source or source in BUILT_IN_SOURCES or source.lower().endswith(FILE_SUFFIXES):
            return source
        names, files = ", ".join(BUILT_IN_SOURCES), ", ".join(FILE_SUFFIXES)
        raise ValueError(
            f"expected one of {names}, a file ({files}), idx:FOLDER, images:FOLDER, openml:NAME or module:function"
        )

    @property
    def is_code(self) -> bool:
        """Whether the source is a function, which reading it runs."""
        return ":" in self.source and self.source.partition(":")[0] not in ("idx", "images", "openml")

    @field_validator("encoding")
    @classmethod
    def _encoding(cls, encoding: str) -> str:
        if encoding != "auto":
            try:
                codecs.lookup(encoding)
            except LookupError:
                raise ValueError("expected auto or an encoding such as utf-8, cp1252, latin-1, utf-16") from None
        return encoding

    @field_validator("kinds")
    @classmethod
    def _kinds(cls, kinds: dict[str, str]) -> dict[str, str]:
        def check(name: str) -> None:
            kind, _, notation = kinds[name].partition(" ")
            if kind not in ("number", "category", "date"):
                raise ValueError(f"column {name!r}: expected number, category or date, but got {kinds[name]!r}")
            try:
                notation_of(kind, notation)
            except ValueError as error:
                raise ValueError(f"column {name!r}: {error}") from None

        check_each(check, kinds)
        return kinds

    @field_validator("class_weight", mode="before")
    @classmethod
    def _labels_as_text(cls, weights: Any) -> Any:
        """From Python, a label may be named by what the target holds: a number or a boolean."""
        if not isinstance(weights, Mapping):
            return weights
        import numpy as np

        from nas.training.data._labels import label_texts

        texts = [
            label if isinstance(label, str) else label_texts(np.array([label]), (), "data.class_weight")[0]
            for label in weights
        ]
        if twice := [text for k, text in enumerate(texts) if text in texts[:k]]:
            raise ValueError(f"label {twice[0]!r} is given twice; leave one out")
        return dict(zip(texts, weights.values(), strict=True))

    @field_validator("class_weight")
    @classmethod
    def _positive(cls, weights: str | dict[str, float] | None) -> str | dict[str, float] | None:
        if isinstance(weights, dict) and not all(weight > 0 for weight in weights.values()):
            raise ValueError("expected a positive weight for each label")
        return weights

    @field_validator("separator")
    @classmethod
    def _separator(cls, separator: str) -> str:
        if separator != "auto" and (len(separator) != 1 or separator in '"\r\n' or separator.isalnum()):
            raise ValueError("expected auto or one character that is no letter, digit or quote, such as ; or a tab")
        return separator

    @field_validator("missing", mode="before")
    @classmethod
    def _numbers_are_words(cls, missing: Any) -> Any:
        """-999 may be written as the number that it is, and a single one by itself."""
        several = missing if isinstance(missing, list | tuple) else [missing]
        if any(isinstance(each, bool) or not isinstance(each, str | int | float) for each in several):
            return missing  # refused as it is
        return [f"{int(each)}" if isinstance(each, float) and each.is_integer() else f"{each}" for each in several]

    @model_validator(mode="after")
    def _what_is_said_acts(self) -> DataConfig:
        """Settings that say how to read a text file or a table need one."""
        where = self.source.lower()
        kind = where.partition(":")[0] if ":" in where else "file"
        text = kind == "file" and where.endswith(TEXT_SUFFIXES)
        for name in ("encoding", "separator", "decimal", "header"):
            if getattr(self, name) != "auto" and not text:
                raise ValueError(f"data.{name} is for .csv and .tsv files, but data.source is {self.source!r}")
        if self.pixels is not None and kind != "images":
            raise ValueError(f"data.pixels is for folders of images, but data.source is {self.source!r}")
        for name in ("group", "time"):
            if getattr(self, name) is not None and (
                where in BUILT_IN_SOURCES or where.endswith(".npz") or kind in ("idx", "images")
            ):
                raise ValueError(f"data.{name} names a column of a table, but data.source is {self.source!r}")
        for name in ("kinds", "missing"):
            if getattr(self, name) and (
                where in BUILT_IN_SOURCES or where.endswith(".npz") or kind in ("idx", "images")
            ):
                raise ValueError(f"data.{name} is for tables, but data.source is {self.source!r}")
        if self.keep and (where in BUILT_IN_SOURCES or where.endswith(".npz") or kind in ("idx", "images")):
            raise ValueError(f"data.keep is for tables; of data.source {self.source!r} no column is left out")
        return self

    @property
    def way(self) -> str:
        """How parts are drawn, as far as the job says it: "auto" is stratified for classes, else random."""
        if self.split != "auto":
            return self.split
        return "grouped" if self.group is not None else "chronological" if self.time is not None else "auto"

    @model_validator(mode="after")
    def _split_has_its_column(self) -> DataConfig:
        if self.group is not None and self.time is not None:
            raise ValueError("data.group and data.time are two ways to split; name one")
        if self.split == "grouped" and self.group is None:
            raise ValueError("data.split: grouped needs data.group, the column that says which rows belong together")
        for name, way in (("group", "grouped"), ("time", "chronological")):
            if getattr(self, name) is not None and self.split not in ("auto", way):
                raise ValueError(f"data.{name} means data.split: {way}, but data.split is {self.split}; take one out")
        return self

    @model_validator(mode="after")
    def _each_column_once(self) -> DataConfig:
        targets = (self.target,) if isinstance(self.target, str) else self.target or ()
        said: dict[str, str] = {}
        for name in self.kinds:
            if name in targets or name in self.drop:
                raise ValueError(f"data.kinds says what column {name!r} holds, which is no feature; take it out")
        parted = [name for name in (self.group, self.time) if name is not None and name not in self.keep]
        for key, names in (("target", targets), ("drop", self.drop), ("keep", self.keep), ("group or time", parted)):
            for name in names:
                if name in said:
                    both = f"data.{key} twice" if said[name] == key else f"both data.{said[name]} and data.{key}"
                    raise ValueError(f"column {name!r} is named in {both}; name it once")
                said[name] = key
        return self

    @model_validator(mode="after")
    def _something_left_to_train_on(self) -> DataConfig:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation + test must be below 1, got {self.validation} + {self.test}; nothing is left to train on"
            )
        return self

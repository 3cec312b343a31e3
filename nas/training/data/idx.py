"""IDX files, the format of MNIST and its relatives: a big-endian header and a block of numbers, often gzipped.

The reader trusts nothing in the header: it reads at most as many bytes as the header announces, plus one to see
whether there are more, so that a damaged or malicious file cannot fill the memory.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from nas._scratch import cache_home
from nas.errors import DataError
from nas.training.data._raw import RawData

__all__ = [
    "MAX_BYTES",
    "TEST_IMAGES",
    "find_mnist",
    "load_idx_folder",
    "load_mnist",
    "most_expanded",
    "read_idx",
    "refuse_expansion",
]

_TYPES: Final = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_BYTES: Final = 8 * 2**30
# A compressed file of a megabyte may hold gigabytes of zeros. MNIST expands five times, what is mostly zeros a hundred.
_FREE_BYTES: Final = 64 * 2**20
_MOST_EXPANSION: Final = 200
_PIECE: Final = 2**24
TEST_IMAGES: Final = "t10k-images-idx3-ubyte"
"""The file of a folder with the images of the test part; it may be gzipped and end in ``.gz``."""
_FILES: Final = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    TEST_IMAGES,
    "t10k-labels-idx1-ubyte",
)


def most_expanded(path: Path) -> int:
    """Bytes that a file may expand to."""
    return _FREE_BYTES + _MOST_EXPANSION * path.stat().st_size


def refuse_expansion(path: Path, expanded: int) -> None:
    """Before a compressed file is read.

    Args:
        expanded: bytes that it says it holds.

    Raises:
        DataError: far more than honest data of this size on the disk.
    """
    held = path.stat().st_size
    if expanded > most_expanded(path):
        raise DataError(
            f"{path}: {held} bytes announce {expanded} when expanded, more than {_MOST_EXPANSION} times as many; if "
            "that is right, store it uncompressed"
        )


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, gzipped when its name ends in ``.gz``.

    Raises:
        DataError: the file is missing, no IDX file, truncated, or longer than its header says.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not 1 <= head[3] <= 4:
                raise DataError(
                    f"{path}: no IDX file (it starts with {head.hex() or 'nothing'}); expected 0000, type, axes"
                )
            axes = head[3]
            sizes = file.read(4 * axes)
            if len(sizes) < 4 * axes:
                raise DataError(f"{path}: truncated inside the header; fetch the file again")
            shape = struct.unpack(f">{axes}I", sizes)
            dtype = np.dtype(_TYPES[head[2]])
            expected = math.prod(shape) * dtype.itemsize
            if expected > MAX_BYTES:
                raise DataError(f"{path}: the header announces {expected} bytes, at most {MAX_BYTES} are read")
            if path.suffix == ".gz":
                refuse_expansion(path, expected)
            content = bytearray()  # by pieces: one large read would allocate whatever the header announces
            while piece := file.read(min(_PIECE, expected + 1 - len(content))):
                content += piece
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch the file again") from error
    if len(content) != expected:
        found = f"only {len(content)}" if len(content) < expected else "more"
        raise DataError(
            f"{path}: the header announces {expected} bytes of data, the file holds {found}; fetch it again"
        )
    return np.frombuffer(content, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="))


def load_idx_folder(folder: Path, name: str) -> RawData:
    """Images and labels from a folder with four files named as MNIST's.

    Raises:
        DataError: a file is missing or damaged, or images and labels differ in number.
    """
    arrays = [read_idx(_existing(folder, file)) for file in _FILES]
    for images, labels, part in ((arrays[0], arrays[1], "train"), (arrays[2], arrays[3], "t10k")):
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise DataError(
                f"{folder}: {part} images have shape {images.shape}, labels {labels.shape}; "
                "expected (samples, rows, columns) and (samples,)"
            )
    x, y, x_test, y_test = arrays
    if x.shape[1:] != x_test.shape[1:]:
        raise DataError(f"{folder}: training images are {x.shape[1:]}, test images {x_test.shape[1:]}; expected equal")
    return RawData(
        name, x, y, x_test=x_test, y_test=y_test, task="classification", scaling="global", period=x.shape[2], channels=1
    )


def _existing(folder: Path, file: str) -> Path:
    for path in (folder / f"{file}.gz", folder / file):
        if path.is_file():
            return path
    raise DataError(f"{folder}: {file}.gz is missing; the folder must hold {', '.join(_FILES)} (gzipped or not)")


def mnist_places() -> list[Path]:
    """Folders in which MNIST is looked for, the first that holds it wins."""
    stated = os.environ.get("NAS_DATA_DIR")
    roots = [Path(stated)] if stated else []
    cache = cache_home() / "nas"
    checkout = Path(__file__).parents[3]
    roots += [Path("data"), Path("../shared/data"), checkout / "data", checkout.parent / "shared" / "data", cache]
    return [folder for root in roots for folder in (root / "MNIST" / "raw", root)]


def find_mnist() -> Path | None:
    """The folder with MNIST's four files, or None."""
    for folder in mnist_places():
        if any((folder / f"{_FILES[0]}{suffix}").is_file() for suffix in (".gz", "")):
            return folder
    return None


def load_mnist() -> RawData:
    """MNIST with its own test part of 10,000 images.

    Raises:
        DataError: the four files are in none of the places looked at.
    """
    folder = find_mnist()
    if folder is None:
        raise DataError(
            "mnist: train-images-idx3-ubyte.gz and its three companions were found in none of "
            f"{', '.join(str(place) for place in mnist_places())}; set NAS_DATA_DIR to their folder, "
            'or use "source: openml:mnist_784"'
        )
    return load_idx_folder(folder, "mnist")

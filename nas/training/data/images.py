"""Folders of images: a folder a class, below ``train`` and ``test`` where there are these."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nas.errors import DataError
from nas.training.data._raw import RawData

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["IMAGE_SUFFIXES", "load_image_folder", "read_images"]

IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp")
_FORMATS: Final = ("PNG", "JPEG", "BMP")  # no others are read, whatever a file is called
_PARTS: Final = {"train": "", "test": "_test", "validation": "_val", "val": "_val", "valid": "_val"}
_OWN_SIZE: Final = 64  # pixels a side up to which images stay as they are
_SIZE: Final = 32  # of those that are larger, or of different sizes
_MOST_PIXELS: Final = 2**26  # of one file
_MOST_BYTES: Final = 2**32  # of all
_GREY: Final = ("1", "L", "LA", "I;16", "I")


def load_image_folder(folder: Path, pixels: int | None = None) -> RawData:
    """Images as (samples, height, width * channels), values 0 to 255; grey where all are, else red, green, blue.

    Args:
        folder: with a folder for each class, or with ``train``, ``test`` and perhaps ``validation`` that have these.
        pixels: a side that all are resized to.

    Raises:
        DataError: there is no folder or no image, a file is none, or Pillow is not installed.
    """
    _need_pillow(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder (looked in {folder.absolute().parent})")
    named = {entry.name: entry for entry in sorted(folder.iterdir()) if entry.is_dir()}
    own = {name for name in named if name.lower() in _PARTS}
    ready = "train" in {name.lower() for name in own} and len(own) > 1 and own == {*named}
    roots = {_PARTS[name.lower()]: named[name] for name in named} if ready else {"": folder}
    files = {suffix: _files(root) for suffix, root in roots.items()}
    shapes = [_looked_at(path) for found in files.values() for path, _ in found]
    grey = all(mode in _GREY for _, mode in shapes)
    sizes = {size for size, _ in shapes}
    first = next(iter(sizes))
    size = (pixels, pixels) if pixels else first if len(sizes) == 1 and max(first) <= _OWN_SIZE else (_SIZE, _SIZE)
    channels = 1 if grey else 3
    if len(shapes) * size[0] * size[1] * channels * 4 > _MOST_BYTES:
        raise DataError(f"{folder}: {len(shapes):,} images of {size[0]} x {size[1]} are too many; set data.pixels")
    parts: dict[str, Any] = {}
    for suffix, found in files.items():
        parts[f"x{suffix}"] = np.stack([_pixels(path, size, grey) for path, _ in found])
        parts[f"y{suffix}"] = np.array([label for _, label in found])
    kind = "grey" if grey else "red, green and blue"
    said = (f"{len(shapes):,} images, {size[0]} x {size[1]} pixels, {kind}", "data.pixels")
    return RawData(
        folder.name,
        **parts,
        task="classification",
        scaling="global",
        period=size[0] * channels,
        channels=channels,
        said=(said,),
    )


def read_images(where: Path, inputs: int, period: int | None) -> tuple[np.ndarray, list[str]]:
    """Images for a network that was trained on a folder of images, resized to its size.

    Args:
        where: one image, or a folder with images at any depth.
        inputs: of the network: height * width * channels.
        period: width * channels.

    Returns:
        (samples, inputs) values 0 to 255, and the path of each image, below the folder; in the order of the paths.

    Raises:
        DataError: there is no image, a file is none, Pillow is not installed, or the network was not trained on images.
    """
    _need_pillow(where)
    if not period or inputs % period:
        raise DataError(f"{where}: the network has {inputs} inputs that are no image; give it a table")
    paths = [where] if where.is_file() else [path for path in sorted(where.rglob("*")) if _is_image(path)]
    if not paths:
        raise DataError(f"{where}: no images; expected files {', '.join(IMAGE_SUFFIXES)}, in folders or not")
    height = inputs // period
    # Of an image that is square, or of which an image has the size, it is certain how many channels there are.
    first, _ = _looked_at(paths[0])
    sizes = {(period // channels, height): channels for channels in (3, 1) if period % channels == 0}
    size = next((each for each in sizes if each == first or each[0] == each[1]), (period, height))
    rows = [_pixels(path, size, sizes[size] == 1).ravel() for path in paths]
    names = [path.name if where.is_file() else str(path.relative_to(where)) for path in paths]
    return np.stack(rows).astype(np.float64), names


def _need_pillow(where: Path) -> None:
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise DataError(f"{where}: images are read by Pillow, which is not installed: pip install pillow") from error


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def _files(root: Path) -> list[tuple[Path, str]]:
    """Images with their classes, by name."""
    classes = [entry for entry in sorted(root.iterdir()) if entry.is_dir()]
    found = [(path, each.name) for each in classes for path in sorted(each.rglob("*")) if _is_image(path)]
    if not found:
        raise DataError(
            f"{root}: no images; expected a folder for each class, with files {', '.join(IMAGE_SUFFIXES)} in it"
        )
    return found


def _opened(path: Path) -> Image:
    from PIL import Image

    try:
        image = Image.open(path, formats=_FORMATS)
    except Exception as error:  # Pillow's decoders raise what they like
        raise DataError(f"{path}: no image that can be read ({error}); remove it") from error
    if image.size[0] * image.size[1] > _MOST_PIXELS:
        raise DataError(f"{path}: {image.size[0]} x {image.size[1]} pixels are too many; make it smaller")
    return image


def _looked_at(path: Path) -> tuple[tuple[int, int], str]:
    """Width and height, and the mode, from the header alone."""
    with _opened(path) as image:
        return (image.size[0], image.size[1]), image.mode


def _pixels(path: Path, size: tuple[int, int], grey: bool) -> np.ndarray:
    """(height, width * channels) uint8."""
    with _opened(path) as image:
        try:
            shown = image.convert("L" if grey else "RGB")
        except Exception as error:
            raise DataError(f"{path}: no image that can be read ({error}); remove it") from error
        shown = shown if shown.size == size else shown.resize(size)
        values = np.asarray(shown, dtype=np.uint8)
    return values.reshape(size[1], -1)

"""One look for every picture: colours (told apart by colour-blind readers), fonts, and how a figure becomes PNG bytes.

Figures are made without pyplot, whose global state is not safe in the tracker's background thread.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from nas.tracking.plots._folder import offer_folder
from nas.tracking.plots._legible import legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = [
    "COMPUTATIONAL",
    "DOMINATED",
    "FAINT",
    "GRID",
    "INK",
    "INPUT",
    "NEGATIVE",
    "NEUTRAL",
    "OUTPUT",
    "POSITIVE",
    "heading",
    "input_colours",
    "new_figure",
    "plain_axes",
    "to_png",
]

INPUT = "#0f9d76"  # the three roles of a neuron
COMPUTATIONAL = "#3b4252"
OUTPUT = "#a23b9c"
POSITIVE = "#1f6fd6"  # the two signs of a weight
NEGATIVE = "#e0661c"
NEUTRAL = "#5f6b7a"  # edges without a known weight
DOMINATED = "#aab4c0"  # trials off the front
INK = "#1d2530"  # text
FAINT = "#76808d"  # secondary text
GRID = "#e3e7ec"
_SOLID = (INPUT, COMPUTATIONAL, OUTPUT, POSITIVE, NEGATIVE, NEUTRAL, DOMINATED, INK, FAINT, GRID, "#ffffff")


def new_figure(width: float, height: float, dpi: int = 100) -> Figure:
    """An empty white figure of `width` x `height` inches, ready to be rendered off screen.

    Raises:
        OSError: matplotlib needs a folder that can be written, and there is none, not even for temporary files.
    """
    offer_folder()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def heading(figure: Figure, title: str, subtitle: str = "", left: float = 0.02) -> None:
    """A bold title and a fainter line of facts below it, at the top left corner."""
    height = float(figure.get_size_inches()[1])
    figure.text(left, 1 - 0.20 / height, title, ha="left", va="top", fontsize=15, fontweight="bold", color=INK)
    figure.text(left, 1 - 0.53 / height, subtitle, ha="left", va="top", fontsize=10.5, color=FAINT)


def plain_axes(axes: Axes) -> None:
    """Only the left and bottom spines, thin and grey."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(DOMINATED)
    axes.tick_params(colors=FAINT, labelsize=10)


def to_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file with a palette of 256 colours: a third of the size, alike to the eye."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    legible(figure)
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    image = Image.fromarray(pixels[:, :, :3].copy())
    # The median cut gives the many mixed shades of crossing edges their colours and may lose those of small areas
    # (legend, labels, colour bar), so these are added as they are.
    kept = _kept_colours()
    # Of every third pixel in both directions, which takes a sixth of the time and gives the same shades.
    sample = Image.fromarray(np.ascontiguousarray(pixels[::3, ::3, :3]))
    found = sample.quantize(256 - len(kept), Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(found + [channel for colour in kept for channel in colour])
    buffer = io.BytesIO()
    mapped = image.quantize(palette=palette, dither=Image.Dither.NONE)
    # Pillow finds the nearest colour of the palette only roughly, which makes the paper a light grey. All bytes of a
    # pixel are compared at once: by channels it takes a quarter of the whole.
    paper = np.ascontiguousarray(pixels).view(np.uint32)[:, :, 0] == 0xFFFFFFFF
    result = Image.fromarray(np.where(paper, len(found) // 3 + len(_SOLID) - 1, np.asarray(mapped)).astype(np.uint8))
    result.putpalette(palette.getpalette() or [])
    result.save(buffer, "PNG")
    return buffer.getvalue()


def _kept_colours() -> list[tuple[int, int, int]]:
    from matplotlib.colors import to_rgb

    shades = [to_rgb(colour) for colour in _SOLID]
    table = input_colours()(np.linspace(0, 1, 24))
    shades += [(red, green, blue) for red, green, blue, _ in table]
    return [(round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in shades]


def input_colours() -> Colormap:
    """Shades of the colour of inputs, from nearly white (0) to dark (1)."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("inputs", ["#eef2f4", "#9ad9c3", INPUT, "#064d3b"])

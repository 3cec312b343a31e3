"""Watch a network learn: its adjacency matrix, its graph, its closeness functions and its curves, frame by frame.

One film (MP4), and a page around it with a slider, which can be stopped and searched. A film, because a GIF or single
pictures of so many thin lines take ten times the bytes (20 MB against 2).
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nas.tracking.plots._animation_page import PAGE_TEMPLATE
from nas.tracking.plots._animation_panels import (
    AdjacencyPanel,
    ClosenessPanel,
    CurvePanel,
    GraphPanel,
    Scene,
)
from nas.tracking.plots._legible import legible
from nas.tracking.plots._theme import COMPUTATIONAL, FAINT, INK, OUTPUT, POSITIVE, new_figure
from nas.tracking.points import format_accuracy, format_count, format_number
from nas.training.loss_terms import TERMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nas.training import Recording

__all__ = ["Animation"]

_WIDTH, _HEIGHT, _DPI = 12.8, 7.2, 100
_RATE = 12  # frames a second
_REST = 30  # times that the last frame is shown
_ENCODER = {"crf": "23", "preset": "medium", "tune": "animation", "g": "24", "threads": "1"}  # g: seeking is exact


class _Panel(Protocol):
    moving: Any

    def update(self, frame: int) -> None: ...


class Animation:
    """All frames of a recorded training, drawn once, on demand.

    Args:
        seen: the recording.
        period: row width of image data; None: no images.
        title: first line of every frame.
    """

    def __init__(self, seen: Recording, *, period: int | None = None, title: str = "") -> None:
        self._seen = seen
        fits = period is not None and 1 < period < seen.dag.n_inputs and seen.dag.n_inputs % period == 0
        self._period = period if fits else None
        self._title = title or "Learning"

    def __len__(self) -> int:
        return len(self._seen.steps)

    @cached_property
    def mp4(self) -> bytes:
        """The film as the bytes of an MP4 file (H.264)."""
        import av

        buffer = io.BytesIO()
        with av.open(buffer, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=_RATE)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height = round(_WIDTH * _DPI), round(_HEIGHT * _DPI)
            stream.pix_fmt, stream.options = "yuv420p", dict(_ENCODER)
            for pixels in self._draw(range(len(self))):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame))
            for _ in range(_REST):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())
        return buffer.getvalue()

    @cached_property
    def page(self) -> str:
        """The film in an HTML page with a player; it loads nothing from anywhere."""
        return (
            PAGE_TEMPLATE.replace("%TITLE%", html.escape(self._title))
            .replace("%RATE%", str(_RATE))
            .replace("%STEPS%", ",".join(str(int(step)) for step in self._seen.steps))
            .replace("%FILM%", base64.b64encode(self.mp4).decode())
        )

    def png(self, frame: int = -1) -> bytes:
        """One frame as the bytes of a PNG file, the last one by default."""
        from PIL import Image

        buffer = io.BytesIO()
        (pixels,) = self._draw([frame % len(self)])
        Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
        return buffer.getvalue()

    def _draw(self, frames: Iterable[int]) -> Iterator[np.ndarray]:
        """(height, width, 3) uint8 of each frame; what does not move is drawn once."""
        figure = new_figure(_WIDTH, _HEIGHT, _DPI)
        panels = self._panels(figure)
        legible(figure)
        canvas: Any = figure.canvas
        for panel in panels:
            for artist in panel.moving:
                artist.set_animated(True)
        canvas.draw()
        still = canvas.copy_from_bbox(figure.bbox)
        for frame in frames:
            canvas.restore_region(still)
            for panel in panels:
                panel.update(frame)
                for artist in panel.moving:
                    (artist.axes or figure).draw_artist(artist)
            yield np.asarray(canvas.buffer_rgba())[:, :, :3].copy()

    def _panels(self, figure: Figure) -> list[_Panel]:
        def box(left: float, bottom: float, width: float, height: float) -> Axes:
            return figure.add_axes((left / _WIDTH, bottom / _HEIGHT, width / _WIDTH, height / _HEIGHT))

        seen, scene = self._seen, Scene(self._seen)
        figure.text(0.25 / _WIDTH, 1 - 0.18 / _HEIGHT, self._title, va="top", fontsize=14, fontweight="bold", color=INK)
        matrix = box(0.62, 2.55, 3.9, 3.72)
        panels: list[_Panel] = [AdjacencyPanel(matrix, scene, self._period, (390, 372)), _Header(figure, scene)]
        scale = 7.75 / 16
        panels.append(GraphPanel(box(4.85, 2.2, 7.75, 9 * scale), scene, self._period, scale))
        panels.append(self._closeness(figure, box, scene))
        loss = [
            (name, colour, seen.curves[name])
            for name, colour in (("objective", POSITIVE), *((name, term.colour) for name, term in TERMS.items()))
            if name in seen.curves and (seen.curves[name] > 0).any()
        ]
        bottom, height = 0.42, 1.2
        panels.append(CurvePanel(box(5.35, bottom, 2.0, height), seen.steps, loss, title="loss terms", form="log"))
        edges = [("", COMPUTATIONAL, seen.curves["live_edges"])]
        panels.append(CurvePanel(box(7.95, bottom, 2.0, height), seen.steps, edges, title="live edges", form="count"))
        quality = scene.quality
        curves = [
            ("train", FAINT, seen.curves[f"train_{quality}"]),
            ("test", OUTPUT, seen.curves[f"test_{quality}"]),
        ]
        panels.append(
            CurvePanel(
                box(10.55, bottom, 2.05, height),
                seen.steps,
                curves,
                title=quality,
                form="share" if quality == "accuracy" else "log",
            )
        )
        return panels

    def _closeness(self, figure: Figure, box: Any, scene: Scene) -> ClosenessPanel:
        what = "closeness" if self._seen.closeness is not None else "weights"
        figure.text(
            0.62 / _WIDTH, 1.96 / _HEIGHT, f"{what} of some neurons' edges", fontsize=9.5, color=INK, fontweight="bold",
            va="center",
        )  # fmt: skip
        if self._period is None:
            cells = [[box(0.72, 0.28 + 0.53 * (2 - row), 3.8, 0.44)] for row in range(3)]
            figure.text(
                4.52 / _WIDTH, 1.96 / _HEIGHT, "grey: before training, by source neuron", fontsize=7.5, color=FAINT,
                va="center", ha="right",
            )  # fmt: skip
            return ClosenessPanel(cells, scene, None)
        side = 0.68
        cells = [[box(0.85 + 0.75 * column, bottom, side, side) for column in range(5)] for bottom in (0.95, 0.2)]
        for bottom, text in ((0.95, "before"), (0.2, "now")):
            figure.text(
                0.75 / _WIDTH, (bottom + side / 2) / _HEIGHT, text, fontsize=8, color=FAINT, rotation=90,
                va="center", ha="right",
            )  # fmt: skip
        return ClosenessPanel(cells, scene, self._period)


class _Header:
    """The numbers of a frame, at the top right."""

    def __init__(self, figure: Figure, scene: Scene) -> None:
        self._scene = scene
        last = format_count(float(scene.seen.steps[-1]))
        labels = [f"step of {last}", f"test {scene.quality}", "live edges", "density", "depth"]
        places = (7.0, 8.6, 10.0, 11.3, 12.5)
        self.moving = []
        for place, name in zip(places, labels, strict=True):
            x = place / _WIDTH
            figure.text(x, 1 - 0.47 / _HEIGHT, name, ha="right", va="top", fontsize=8.5, color=FAINT)
            self.moving.append(
                figure.text(x, 1 - 0.16 / _HEIGHT, "", ha="right", va="top", fontsize=14, fontweight="bold", color=INK)
            )

    def update(self, frame: int) -> None:
        """Show a frame."""
        seen, quality = self._scene.seen, self._scene.quality
        curves = seen.curves
        value = float(curves[f"test_{quality}"][frame])
        shown = [
            format_count(float(seen.steps[frame])),
            format_accuracy(value) if quality == "accuracy" else format_number(value),
            format_count(float(curves["live_edges"][frame])),
            format_accuracy(float(curves["density"][frame])),
            format_count(self._scene.dag(frame).depth),
        ]
        for text, artist in zip(shown, self.moving, strict=True):
            artist.set_text(text)

"""What a running search shows: a live panel on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nas._text import counted
from nas.cli.console import PATIENCE_SECONDS, console, duration, percent, say, seconds

if TYPE_CHECKING:
    from nas.search import Progress

__all__ = ["CompilingDisplay", "ProgressDisplay"]

_LINE_SECONDS: Final = 10.0  # between two lines where there is no terminal
_BAR_WIDTH: Final = 40
_READY: Final = "making the workers ready; the first time on a machine they compile, which takes about a minute"
_FUNCTIONS: Final = 55  # that a first search on a machine compiles
_COMPILING_SECONDS: Final = 20.0  # between two lines about it, where there is no terminal
_BEHIND: Final = 20  # trials that MLflow may be behind without a word


class CompilingDisplay:
    """Shows how far the workers are with compiling, inside a ``with`` block: functions that are done since it began, of
    as many as usual. What machines of a cluster compile is not seen."""

    def __init__(self, output: Console = console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._bar = Bar(*columns, console=output, transient=True, disable=not output.is_terminal)
        self._output = output
        self._task = self._bar.add_task(_READY, total=None)
        self._began, self._said = time.time(), -math.inf

    def __enter__(self) -> CompilingDisplay:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, waited: float) -> None:
        """Args: waited: seconds since it began."""
        from nas._stamps import compiled_since

        doing = _READY
        if done := compiled_since(self._began):
            doing = f"compiling what trials run, once on this machine: {done} of about {_FUNCTIONS} functions"
            total = max(_FUNCTIONS, done + 1)
            self._bar.update(self._task, description=doing, completed=done, total=total)
        if not self._output.is_terminal and waited > PATIENCE_SECONDS and waited - self._said > _COMPILING_SECONDS:
            self._said = waited
            say(f"{doing} …", output=self._output)


class ProgressDisplay:
    """Follows a search; call it with each `nas.search.Progress`, inside a ``with`` block.

    Args:
        title: of the panel.
        error: what the error is called.
        output: where to.
        quiet: print nothing, where the log says it all.
    """

    def __init__(self, title: str, output: Console = console, *, error: str = "error", quiet: bool = False) -> None:
        self._title, self._error = title, error
        self._output = output
        live = output.is_terminal and not quiet
        self._live = Live(console=output, refresh_per_second=4, transient=True) if live else None
        self._quiet = quiet
        self._last: Progress | None = None
        self._printed: Progress | None = None
        self._last_line = 0.0
        self.notice = ""  # shown below the numbers, e.g. that the search is being stopped
        self.behind: Callable[[], int] = lambda: 0  # trials that MLflow does not have yet

    def __enter__(self) -> ProgressDisplay:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        if self._last is not None and self._last is not self._printed and not self._quiet:
            say(self._line(self._last), output=self._output)
        if self._last is not None and self._last.saturation is not None and not self._quiet:
            say(str(self._last.saturation), output=self._output)

    def __call__(self, progress: Progress) -> None:
        self._last = progress
        if self._live is not None:
            self._live.update(self._panel(progress))
        elif not self._quiet and time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._last_line, self._printed = time.monotonic(), progress
            say(self._line(progress), output=self._output)

    def _panel(self, progress: Progress) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        trials = Text.assemble(
            (f"{progress.complete} done", "green"),
            f"  {progress.running} running  ",
            *([f"{progress.stopped} stopped  "] if progress.stopped else []),
            (f"{progress.failed} failed", "red" if progress.failed else "dim"),
            _of(progress),
        )
        grid.add_row("", ProgressBar(total=1.0, completed=progress.share, width=_BAR_WIDTH))
        grid.add_row("trials", trials)
        grid.add_row("speed", f"{progress.trials_per_minute:.1f} trials a minute")
        grid.add_row("best", Text(_best(progress, self._error), "bold"))
        grid.add_row("front", f"{counted(progress.front_size, 'network')}, hypervolume {progress.hypervolume:.4f}")
        if progress.saturation is not None:
            grid.add_row("", Text(str(progress.saturation), style="dim"))
        grid.add_row("time", f"{duration(progress.seconds)} gone, {duration(progress.seconds_left)} left")
        if behind := self._behind():
            grid.add_row("MLflow", behind)
        notice = self.notice or "Ctrl-C stops and keeps every finished trial"
        return Group(Text(self._title, style="bold"), grid, Text(notice, style="dim"))

    def _line(self, progress: Progress) -> str:
        stopped = f"{progress.stopped} stopped, " if progress.stopped else ""
        return (
            f"{duration(progress.seconds):>5}  {progress.complete} done, {progress.running} running, "
            f"{stopped}{progress.failed} failed{_of(progress)}; "
            f"{progress.trials_per_minute:.1f} trials a minute; "
            f"best {_best(progress, self._error)}; "
            f"front {progress.front_size}, hypervolume {progress.hypervolume:.4f}; "
            f"{duration(progress.seconds_left)} left" + (f"; MLflow {behind}" if (behind := self._behind()) else "")
        )

    def _behind(self) -> str:
        """How far MLflow is behind, where it cannot follow."""
        count = self.behind()
        return f"{count:,} trials behind" if count >= _BEHIND else ""


def _of(progress: Progress) -> str:
    return "" if progress.trials is None else f" of {progress.trials:,}"


def _best(progress: Progress, error: str) -> str:
    metrics = progress.best
    if not metrics:
        return "-"
    quality = (
        f"accuracy {percent(metrics['val_accuracy'])}"
        if "val_accuracy" in metrics
        else f"{error} {metrics.get('val_error', float('nan')):.4g}"
    )
    return f"{quality} at {seconds(metrics.get('inference_seconds'))}, {metrics.get('edges', 0):,.0f} edges"

"""Plots of time against edges, depth and neurons, with the line that was fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["draw"]

_TITLES = {
    "edges": "live edges (2,000 neurons)",
    "depth": "depth (same neurons and edges)",
    "neurons": "neurons (same edges)",
}


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """One PNG a series; none when the section is missing."""
    section = results["sections"].get("linear")
    if section is None:
        return []
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    written = []
    for key, title in _TITLES.items():
        points, fit = section[key]["points"], section[key]["fit"]
        x = np.array([point[key] for point in points], float)
        figure, axes = pyplot.subplots(figsize=(5, 3.6), layout="constrained")
        own = [point["engine"] for point in points]
        medians = 1e3 * np.array([sample["median"] for sample in own])
        spread = 1e3 * np.array([[s["median"] - s["low"], s["high"] - s["median"]] for s in own]).T
        axes.errorbar(x, medians, yerr=spread, fmt="o", label="engine", capsize=2)
        line = np.linspace(x.min(), x.max(), 200)
        axes.plot(
            line, 1e3 * (fit["intercept"] + fit["slope"] * line), "--", color="C0", label=f"line, R² = {fit['r2']:.4f}"
        )
        if all("levels" in point for point in points):
            levels = [1e3 * point["levels"]["median"] for point in points]
            axes.plot(x, levels, "s-", color="C1", label="level by level, by hand")
        axes.set_xscale("log")
        axes.set_yscale("log")
        # A cost that hardly changes must look flat: never less than a decade and a half of milliseconds.
        low, high = axes.get_ylim()
        middle, half = np.sqrt(low * high), max(np.sqrt(high / low), 10**0.75)
        axes.set_ylim(middle / half, middle * half)
        axes.set_xlabel(title)
        axes.set_ylabel(f"training pass, ms (batch {section['batch']})")
        axes.grid(True, which="major", alpha=0.3)
        axes.legend()
        path = folder / f"{key}.png"
        figure.savefig(path, dpi=150)
        pyplot.close(figure)
        written.append(path)
    return written

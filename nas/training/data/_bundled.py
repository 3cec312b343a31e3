"""Data that needs no download: scikit-learn's bundled sets, and toys whose best networks are known by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.training.data._raw import RawData

__all__ = ["addsub", "bundled", "parity", "recall"]


def bundled(name: str) -> RawData:
    """One of scikit-learn's bundled sets: digits, wine, iris, breast_cancer (classes) or diabetes (regression)."""
    from sklearn import datasets  # a second; only these sources need it

    bunch: Any = getattr(datasets, f"load_{name}")()
    features = tuple(str(feature) for feature in bunch.feature_names)
    if name == "diabetes":
        return RawData(name, bunch.data, bunch.target, feature_names=features, task="regression")
    classes = tuple(str(label) for label in bunch.target_names)
    images = name == "digits"
    return RawData(
        name,
        bunch.data,
        bunch.target,
        feature_names=features,
        class_names=classes,
        task="classification",
        scaling="global" if images else "feature",
        period=8 if images else None,
        channels=1 if images else None,
    )


def addsub(samples: int, seed: int) -> RawData:
    """Inputs a, b, c, d, e ~ N(0, 1); targets b+e, e-d, b+e+d, e-d-c.

    Each target is a sum of inputs with weights +-1, so ten edges from inputs to outputs solve it exactly: a search
    that finds much more has not looked for small networks, and one that uses input a has been fooled.
    """
    rng = np.random.default_rng([seed, 0xADD5])
    x = rng.standard_normal((samples, 5))
    _, b, c, d, e = x.T
    y = np.stack([b + e, e - d, b + e + d, e - d - c], axis=1)
    # Not scaled, so that weights read as the +-1 that they should be.
    names = tuple("abcde")
    return RawData("addsub", x, y, feature_names=names, task="regression", scaling="none", scale_targets=False)


RECALL_STEPS, RECALL_CLASSES = 10, 4
PARITY_STEPS = 10


def recall(samples: int, seed: int) -> RawData:
    """Delayed recall: rows of 10 time steps; a step is one of four classes (one-hot) and a cue that is 1 at first.

    The class to name is that of the first step. All later steps show a class at random with cue 0, so whoever sees the
    last step alone can only guess (25 %), and whoever remembers must not let the noise in.
    """
    rng = np.random.default_rng([seed, 0x4ECA])
    shown = rng.integers(RECALL_CLASSES, size=(samples, RECALL_STEPS))
    cue = np.zeros((samples, RECALL_STEPS, 1))
    cue[:, 0] = 1
    x = np.concatenate([np.eye(RECALL_CLASSES)[shown], cue], axis=2)
    channels = (*(f"class{k}" for k in range(RECALL_CLASSES)), "cue")
    return _sequences("recall", x, shown[:, 0], channels, tuple(f"class{k}" for k in range(RECALL_CLASSES)))


def parity(samples: int, seed: int) -> RawData:
    """Running parity at the last step: rows of 10 bits, -1 or 1, a time step each; is the number of 1s even or odd?

    All rows differ (so there are no more than 1024), so what a network is tested on it has not seen.
    """
    rng = np.random.default_rng([seed, 0x9A41])
    numbers = rng.permutation(2**PARITY_STEPS)[:samples]
    bits = numbers[:, None] >> np.arange(PARITY_STEPS) & 1
    return _sequences("parity", 2.0 * bits[:, :, None] - 1, bits.sum(axis=1) % 2, ("bit",), ("even", "odd"))


def _sequences(
    name: str, x: np.ndarray, y: np.ndarray, channels: tuple[str, ...], class_names: tuple[str, ...]
) -> RawData:
    """Sequences (samples, time, channels) as rows whose period is a step."""
    _, time, width = x.shape
    return RawData(
        name,
        x.reshape(len(x), time * width),
        y,
        feature_names=tuple(f"{channel}[{step}]" for step in range(time) for channel in channels),
        class_names=class_names,
        task="classification",
        scaling="none",
        period=width,
    )

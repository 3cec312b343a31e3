"""Data that needs no download: scikit-learn's bundled sets and a toy whose best network is known by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.training._raw import RawData

__all__ = ["addsub", "bundled"]


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

"""Manifold networks in half precision and on the meta device: what floats of 32 bits say, as far as it holds."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nas
from nas.graph import complete
from nas.manifold import ManifoldNetwork

WIDE = 300  # inputs: bfloat16 holds whole numbers up to 256 only
PRECISION = {torch.bfloat16: 0.03, torch.float16: 0.004}


def network(parametrisation: Any) -> ManifoldNetwork:
    return ManifoldNetwork(
        complete(WIDE, 4, 2),
        parametrisation=parametrisation,
        activation="tanh",
        generator=np.random.default_rng(0),
        init="open" if parametrisation != "manifold" else "published",
    )


@pytest.mark.parametrize(("parametrisation", "dtype"), [*itertools.product(("free", "masked", "manifold"), PRECISION)])
def test_half_precision_is_the_same_network(parametrisation: Any, dtype: torch.dtype) -> None:
    x = torch.randn(16, WIDE, generator=torch.Generator().manual_seed(0))
    own = network(parametrisation)
    expected = own(x)
    live = own.live_mask()
    short = own.to(dtype)
    found = short(x.to(dtype))
    assert found.dtype == dtype
    scale = expected.abs().max()
    assert (found.float() - expected).abs().max() <= 4 * PRECISION[dtype] * scale
    # Positions that were rounded would move whole receptive fields: about the same edges have to be live.
    assert (short.live_mask() == live).mean() > 0.97
    found.float().square().sum().backward()
    for name, parameter in short.named_parameters():
        assert parameter.grad is None or parameter.grad.dtype == dtype, name
        assert parameter.grad is None or bool(parameter.grad.isfinite().all()), name
    assert any(parameter.grad is not None and bool(parameter.grad.any()) for parameter in short.parameters())


@pytest.mark.parametrize("parametrisation", ["free", "masked", "manifold"])
def test_shapes_on_the_meta_device(parametrisation: Any) -> None:
    own = network(parametrisation).to("meta")
    assert own(torch.empty(7, WIDE, device="meta")).shape == (7, 2)
    assert own.double()(torch.empty(7, WIDE, device="meta", dtype=torch.float64)).dtype == torch.float64


def test_a_file_keeps_half_precision(tmp_path: Path) -> None:
    own = network("masked").half()
    x = torch.randn(5, WIDE, generator=torch.Generator().manual_seed(1)).half()
    nas.save(tmp_path / "own.safetensors", own, {})
    again = nas.load(tmp_path / "own.safetensors")
    assert torch.equal(again(x), own(x))

import tracemalloc

import pytest

from nas.tracking.mlflow._metrics import Metrics


def test_reads_like_a_dictionary() -> None:
    values = {"val_error": 0.1, "edges": 300.0}
    metrics = Metrics(values)
    assert metrics == values
    assert metrics.get("depth") is None
    assert {**metrics, "edges": 1.0} == {"val_error": 0.1, "edges": 1.0}
    with pytest.raises(KeyError, match="depth"):
        metrics["depth"]


def test_takes_little_memory() -> None:
    names = [f"metric {k}" for k in range(16)]
    tracemalloc.start()
    kept = [Metrics({name: float(k + n) for k, name in enumerate(names)}) for n in range(1000)]
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(kept) == 1000
    assert size < 1000 * 350  # 16 numbers of 8 bytes and two objects; a dictionary takes 1,000 bytes

"""FLAML and AutoGluon on a table, in a process of their own: ``python -m benchmarks._automl METHOD REQUEST.json``.

Their packages lie in a folder beside the environment (`make bench-tables`), because they want other versions of what
everybody uses; nothing of `nas` is imported here for the same reason. Budgets are wall time, as they have it, on one
thread; the record says how much process time that was.
"""

from __future__ import annotations

import importlib
import json
import pickle
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

__all__ = ["METHODS", "main"]

Json = dict[str, Any]
_BATCH: Final = 1024
_ROUNDS: Final = 7


def _flaml(request: Json, train: pd.DataFrame, val: pd.DataFrame) -> tuple[Callable[[pd.DataFrame], Any], Json]:
    target = str(request["target"])
    features = [name for name in train if name != target]
    model = importlib.import_module("flaml").AutoML()
    classes = request["task"] == "classification"
    model.fit(
        X_train=train[features], y_train=train[target], X_val=val[features], y_val=val[target],
        task=request["task"], metric="accuracy" if classes else "mse", time_budget=request["seconds"], n_jobs=1,
        estimator_list=["lgbm", "xgboost", "rf", "extra_tree", *(["lrl1"] if classes else [])], seed=request["seed"],
        verbose=0,
    )  # fmt: skip
    return model.predict, {"settings": str(model.best_estimator), "bytes": len(pickle.dumps(model))}


def _autogluon(request: Json, train: pd.DataFrame, val: pd.DataFrame) -> tuple[Callable[[pd.DataFrame], Any], Json]:
    folder = tempfile.mkdtemp(prefix="autogluon-", dir=request["scratch"])
    classes = request["task"] == "classification"
    kind = "regression" if not classes else "binary" if train[request["target"]].nunique() == 2 else "multiclass"
    metric = "accuracy" if classes else "root_mean_squared_error"
    make = importlib.import_module("autogluon.tabular").TabularPredictor
    found = make(request["target"], problem_type=kind, eval_metric=metric, path=folder, verbosity=0)
    found.fit(train, tuning_data=val, time_limit=request["seconds"], num_cpus=1, num_gpus=0)
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return found.predict, {"settings": str(found.model_best), "bytes": size}


METHODS: Final = {"flaml": _flaml, "autogluon": _autogluon}


def main(method: str, path: Path) -> None:
    """Fit, predict the test part and time it; prints the record as the last line."""
    request = json.loads(path.read_text())
    frame = pd.read_parquet(request["table"])
    n_train, n_val = request["parts"]
    train, val, test = frame[:n_train], frame[n_train : n_train + n_val], frame[n_train + n_val :]
    began, wall = time.process_time(), time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predict, record = METHODS[method](request, train, val)
        record |= {"process_seconds": time.process_time() - began, "wall_seconds": time.perf_counter() - wall}
        x, y = test.drop(columns=request["target"]), test[request["target"]]
        said = np.asarray(predict(x))
        if request["task"] == "classification":
            error = float((said.astype(str) != y.to_numpy().astype(str)).mean())
        else:
            error = float(((said.astype(float) - y.to_numpy()) ** 2).mean() / request["variance"])
        batch = x.sample(_BATCH, replace=True, random_state=0)
        taken = []
        for _ in range(_ROUNDS):
            start = time.process_time()
            predict(batch)
            taken.append(time.process_time() - start)
    print(json.dumps(record | {"test_error": error, "inference_seconds": min(taken)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

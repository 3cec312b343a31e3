"""What a search hands over: a registered model that loads without pickle, its card, lineage and film."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient

import nas
from nas.engine import DAGModule
from nas.errors import DataError
from nas.graph import complete, random_dag
from nas.tracking import Ancestor, Animation, Champion, FrontPoint, MlflowTracker, TrackingConfig, model_card
from nas.training import Candidate, Genome, Recording, TrialResult, TrialStatus

Make = Callable[..., MlflowTracker]
CLASSES = ("ash", "birch", "cedar")
METRICS = {"val_accuracy": 0.9, "val_error": 0.1, "test_accuracy": 0.88, "inference_seconds": 1e-4, "edges": 40.0}


@pytest.fixture
def store(config: TrackingConfig) -> Iterator[MlflowClient]:
    """A client, with the store also as MLflow's own default."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(config.tracking_uri)
    yield MlflowClient(config.tracking_uri)
    mlflow.set_tracking_uri(before)


def champion(tmp_path: Path, number: int = 0, *, film: bool = False, names: tuple[str, ...] = ()) -> Champion:
    path = tmp_path / f"{number}.safetensors"
    dag = random_dag(6, 8, 3, n_edges=40, rng=np.random.default_rng(number))
    statistics = {"mean": [5.0] * 6, "scale": [2.0] * 6, "classes": CLASSES}
    module = DAGModule(dag, generator=torch.Generator().manual_seed(number))
    nas.save(path, module, {"task": "classification", "statistics": statistics, "feature_names": names})
    animation = None
    if film:
        curves = ("objective", "flow", "sparsity", "live_edges", "density", "test_error", "train_error")
        small = complete(3, 2, 1)
        weight = np.ones((2, small.n_edges), np.float16)
        animation = Animation(Recording(small, np.array([0, 5]), weight, None, dict.fromkeys(curves, np.ones(2))))
    return Champion(
        number,
        f"# trial {number}",
        [Ancestor(number, METRICS, "initial")],
        checkpoint=path,
        examples=np.random.default_rng(3).normal(5, 2, (4, 6)),
        feature_names=names,
        outputs=("label", *(f"probability_{name}" for name in CLASSES)),
        animation=animation,
    )


def search(tracking: MlflowTracker, chosen: Champion, *, resume: bool = False) -> None:
    """A search of two trials that hands over one of them."""
    tracking.start(resume)
    for number in range(2):
        dag = random_dag(6, 8, 3, n_edges=40, rng=np.random.default_rng(number))
        result = TrialResult(number, TrialStatus.COMPLETE, METRICS, dag=dag)
        tracking.log_trial(Candidate(number, Genome(dag), seed=1, steps=10), result)
    tracking.log_front([FrontPoint(chosen.number, METRICS)], 0.5)
    tracking.log_champion(chosen)
    assert tracking.finish() == 0


def test_the_registered_model_answers_raw_features(
    tracker: Make, config: TrackingConfig, store: MlflowClient, tmp_path: Path
) -> None:
    chosen = champion(tmp_path, 1, film=True)
    tracking = tracker()
    search(tracking, chosen)
    assert tracking.parent_run_id is not None
    files = {file.path for file in store.list_artifacts(tracking.parent_run_id)}
    assert files >= {"model_card.md", "lineage.png", "lineage.html", "animation.mp4", "animation.html", "front.html"}
    assert store.get_run(tracking.parent_run_id).data.tags["registered"] == "models:/study@champion"
    version = store.get_model_version_by_alias("study", "champion")
    assert version.tags["trial"] == "1" and version.description == "# trial 1"
    assert store.get_run(version.run_id).data.tags["trial"] == "1"
    model = mlflow.pyfunc.load_model("models:/study@champion")
    assert chosen.examples is not None and chosen.checkpoint is not None
    answer = model.predict(chosen.examples)
    predictor = nas.Predictor.load(chosen.checkpoint)
    assert list(answer["label"]) == list(predictor.predict(chosen.examples))
    np.testing.assert_allclose(answer.iloc[:, 1:], predictor.probabilities(chosen.examples))
    np.testing.assert_allclose(model.input_example, chosen.examples)
    whole = chosen.examples.round()
    for type_ in (np.int64, np.uint8, np.float32):  # MLflow would take float64 alone, were it told so
        pd.testing.assert_frame_equal(model.predict(whole.astype(type_)), model.predict(whole))
    assert list(answer.columns) == [column.name for column in model.metadata.signature.outputs.inputs]
    stored = [path.suffix for path in config.store.rglob("*") if "model" in path.parts]
    assert ".safetensors" in stored
    assert not {".pkl", ".pickle", ".pt", ".pth", ".joblib"} & set(stored)


def test_a_table_names_its_columns(tracker: Make, store: MlflowClient, tmp_path: Path) -> None:
    names = tuple("abcdef")
    chosen = champion(tmp_path, names=names)
    search(tracker(), chosen)
    model = mlflow.pyfunc.load_model("models:/study@champion")
    assert chosen.examples is not None
    frame = pd.DataFrame(chosen.examples, columns=list(names))
    expected = model.predict(frame)
    pd.testing.assert_frame_equal(model.predict(frame[list(reversed(names))]), expected)
    pd.testing.assert_frame_equal(model.predict(frame.astype(np.float32)), expected, atol=1e-5)
    assert len(model.predict(frame.round().astype(int))) == len(frame)  # of any numeric type
    assert model.metadata.metadata["columns"] == dict.fromkeys(names, "number")
    with pytest.raises(DataError, match="the table lacks 'c'"):
        model.predict(frame.drop(columns="c"))


def test_the_alias_moves_and_repeating_adds_no_version(
    tracker: Make, config: TrackingConfig, store: MlflowClient, tmp_path: Path
) -> None:
    search(tracker(), champion(tmp_path, 0))
    search(tracker(), champion(tmp_path, 0), resume=True)
    assert [version.version for version in store.search_model_versions("name = 'study'")] == [1]
    search(tracker(), champion(tmp_path, 1), resume=True)
    assert store.get_model_version_by_alias("study", "champion").version == 2
    assert len(store.search_model_versions("name = 'study'")) == 2


@pytest.mark.parametrize("method", ["create_model_version", "set_registered_model_alias"])
def test_an_outage_is_outlived(
    tracker: Make, store: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    real, failures = getattr(MlflowClient, method), []

    def answer_is_lost(*args: object, **kwargs: object) -> object:
        found = real(*args, **kwargs)
        if not failures:
            failures.append(method)
            raise ConnectionError("connection reset")
        return found

    monkeypatch.setattr(MlflowClient, method, answer_is_lost)
    search(tracker(), champion(tmp_path))
    assert failures == [method]
    assert store.get_model_version_by_alias("study", "champion").version == 1
    assert len(store.search_model_versions("name = 'study'")) == 1


def test_what_cannot_be_published_ends_no_search(
    tracker: Make, store: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = champion(tmp_path)
    assert chosen.checkpoint is not None
    chosen.checkpoint.unlink()
    with caplog.at_level(logging.WARNING):
        tracking = tracker()
        search(tracking, chosen)
    assert "trial 0 could not be published" in caplog.text
    assert tracking.parent_run_id is not None
    assert store.get_run(tracking.parent_run_id).info.status == "FINISHED"


def test_card() -> None:
    card = model_card(
        name="study",
        number=7,
        metrics={**METRICS, "density": 0.1, "depth": 5.0},
        record={"task": "classification", "data": {"source": "digits"}, "steps": 50, "seed": 3,
                "statistics": {"classes": CLASSES}, "training": {"optimizer": "adam"}},
        line=[Ancestor(place, METRICS, f"add {place} | edges") for place in range(20)],
        front=[FrontPoint(7, METRICS)],
        samples={"training": 1000, "test": 200},
        sizes=(6, 8, 3),
        hardware={"processor": "abacus", "threads": "1"},
        batch=1024,
        chosen="knee",
        uri="http://someone:secret@there:5000",
    )  # fmt: skip
    for fact in ("# study: trial #7", "digits", "ash, birch, cedar", "88.0 %", "abacus", "1,000 training",
                 "models:/study@champion", "8 earlier generations", "add 19 / edges", "| #007 |"):  # fmt: skip
        assert fact in card, fact
    assert "None" not in card and "nan" not in card
    code = card.partition("```python")[2].partition("```")[0]  # as it is pasted
    compile(code, "card", "exec")
    assert "import mlflow" in code and "set_tracking_uri" in code and "there:5000" in code and "secret" not in card

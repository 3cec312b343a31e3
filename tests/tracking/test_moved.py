"""A store that was moved or copied still shows its pictures."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from nas.tracking import TrackingConfig, mend_addresses
from nas.tracking.mlflow.writer import MlflowWriter


@pytest.mark.parametrize("keep", [False, True], ids=["moved", "copied"])
def test_artifacts_are_found_again(config: TrackingConfig, tmp_path: Path, keep: bool) -> None:
    writer = MlflowWriter(config.tracking_uri, config.experiment, config.artifact_root)
    run = writer.ensure_parent("s", "search", {}, {})
    picture, model = tmp_path / "front.png", tmp_path / "model"
    picture.write_bytes(b"picture")
    model.mkdir()
    (model / "MLmodel").write_text("flavors: {}")
    writer.log_files(run, [picture])
    writer.register("m", run, model, {"trial": "1"}, "card")
    new = tmp_path / "else where"
    (shutil.copytree if keep else shutil.move)(config.store, new)
    there = TrackingConfig(experiment=config.experiment, store=new)
    assert mend_addresses(there) >= 3
    again = MlflowWriter(there.tracking_uri, there.experiment, there.artifact_root)
    assert [file.path for file in again.client.list_artifacts(run)] == ["front.png", "model"]
    found = Path(again.client.download_artifacts(run, "front.png"))
    assert found.read_bytes() == b"picture"
    assert again.client.get_run(run).info.artifact_uri.startswith(new.as_uri())
    version = again.client.get_model_version_by_alias("m", "champion")
    assert version.source.startswith(new.as_uri())
    assert mend_addresses(there) == 0, "once is enough"
    assert not keep or mend_addresses(config) == 0, "the original is left alone"


def test_what_is_not_ours_stays(config: TrackingConfig, tmp_path: Path) -> None:
    assert mend_addresses(TrackingConfig(store=tmp_path / "none")) == 0
    writer = MlflowWriter(config.tracking_uri, "other", None)
    writer.client.create_experiment("far", "s3://bucket/artifacts/far")
    assert mend_addresses(config) == 0
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "mlflow.db").write_text("no database")
    assert mend_addresses(TrackingConfig(store=tmp_path / "broken")) == 0
    with sqlite3.connect(config.store / "mlflow.db") as connection:
        locations = {row[0] for row in connection.execute("SELECT artifact_location FROM experiments")}
    assert "s3://bucket/artifacts/far" in locations

"""The `tracking` section of a job file: what the run is called and where everything about it is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from nas._sqlite import sqlite_file, sqlite_url
from nas.errors import JobError

__all__ = ["MODEL_NAME", "NAME", "TrackingConfig", "default_store"]

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
"""Of a study and its folder."""
MODEL_NAME: Final = r"^[^/:]{1,200}$"
"""Of a registered model, as MLflow has it."""


def default_store() -> Path:
    """The store folder where none is stated: ``$NAS_STORE``, else ``nas-runs`` below the current folder."""
    return Path(os.environ.get("NAS_STORE") or "nas-runs")


class TrackingConfig(BaseModel):
    """Names of the experiment and of the places where trials, checkpoints and MLflow runs are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment: str = Field(
        "search",
        pattern=NAME,
        description="Name of the study and of the MLflow experiment (default: the name of the job file).",
    )
    store: Path = Field(
        default_factory=default_store,
        description="Folder of the studies, checkpoints and artifacts (default nas-runs; $NAS_STORE overrides).",
    )
    storage: str | None = Field(
        None,
        description="Database of the study as SQLAlchemy has it, e.g. postgresql://… (default: $NAS_STORAGE, else a "
        "file in the store). A password belongs into the variable, which is written nowhere.",
    )
    mlflow: bool = Field(True, description="Write to MLflow; the study itself is kept either way.")
    mlflow_uri: str | None = Field(
        None,
        description="An MLflow server, e.g. http://host:5000 (default: $NAS_MLFLOW_URI, else SQLite files in the "
        "store); name and password: $MLFLOW_TRACKING_USERNAME, $MLFLOW_TRACKING_PASSWORD.",
    )

    @property
    def database(self) -> str | None:
        """The database of the study, if it is not in the store."""
        return self.storage or os.environ.get("NAS_STORAGE") or None

    @property
    def server(self) -> str | None:
        """The MLflow server, if not files in the store."""
        return self.mlflow_uri or os.environ.get("NAS_MLFLOW_URI") or None

    def refuse_relative(self, *, stated: bool = False) -> None:
        """For a search that was submitted: a file beside its package would vanish with that.

        Args:
            stated: look at what the job says only, not at this machine's variables.

        Raises:
            JobError: the study or MLflow would be kept in such a file.
        """
        kept = {
            "tracking.storage": self.storage if stated else self.database,
            "tracking.mlflow_uri": self.mlflow_uri if stated else self.server,
        }
        for key, address in kept.items():
            file = sqlite_file(address or "")
            if file is not None and not file.is_absolute():
                raise JobError(
                    f"{key} is {address}, a file of the folder that a submitted search runs in, which is removed after "
                    f"it; give an absolute path, as in sqlite:////data/{file.name}, or the address of a server"
                )

    champion: str | None = Field(
        "best",
        description="Which member of the front a finished search registers as its model's `champion`, as `nas export "
        "--pick` has it: best, knee, accurate, fast, or conditions; null: none. Unless this is stated, nothing is "
        "registered that a baseline beats.",
    )
    model: str | None = Field(
        None,
        pattern=MODEL_NAME,
        description="Name of the registered model (default: the name of the experiment).",
    )
    animation: bool = Field(
        False, description="Train the champion once more at the end, exactly, and keep a film of it learning."
    )

    @property
    def model_name(self) -> str:
        """Name of the registered model."""
        return self.model or self.experiment

    @property
    def tracking_uri(self) -> str:
        """What MLflow connects to: the stated server, else the SQLite file in the store."""
        return self.server or sqlite_url((self.store / "mlflow.db").absolute())

    @property
    def artifact_root(self) -> Path:
        """Where MLflow keeps artifacts when no server is stated."""
        return (self.store / "artifacts").absolute()

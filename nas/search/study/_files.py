"""The files of a study's trials: what each was asked to train, and what came out.

Each is written to a temporary name and renamed, without waiting for the disk: `StudyFiles.to_disk` does so for many.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from nas import checkpoint
from nas.errors import CheckpointError
from nas.search.errors import StudyError
from nas.search.study._identity import checksum
from nas.search.study.records import CHECKSUM, result_json, result_of, structure_in, structure_json
from nas.search.study.storage import to_disk
from nas.training.quality.evidence import EVIDENCE, evidence_arrays, evidence_from
from nas.training.types import Candidate, Evidence, Genome, TrialResult

__all__ = ["StudyFiles"]

_HISTORY: Final = "history/"
_PARTS: Final = ("genomes", "trials")

_logger = logging.getLogger(__name__)


class StudyFiles:
    """The files in the folder of a study.

    Attributes:
        identity: of the study, written into each file; None: it has none yet.
    """

    def __init__(self, folder: Path, study: str, identity: str | None) -> None:
        self.folder = folder
        self.identity = identity
        self._study = study
        self._evidence: dict[int, Evidence | None] = {}  # as read so far

    def genome_path(self, number: int) -> Path:
        """Where the genome of a trial is."""
        return self.folder / "genomes" / f"{number:06d}.safetensors"

    def result_path(self, number: int) -> Path:
        """Where the weights of a complete trial are."""
        return self.folder / "trials" / f"{number:06d}.safetensors"

    def make_folders(self) -> None:
        """Where they are to be."""
        for part in _PARTS:
            (self.folder / part).mkdir(parents=True, exist_ok=True)

    def sweep(self) -> None:
        """Removes what a driver that was killed left of files that it was writing."""
        with contextlib.suppress(OSError):  # it is only for tidiness
            for pattern in (".*.tmp", *(f"{part}/.*.tmp" for part in _PARTS)):
                for left_over in self.folder.glob(pattern):
                    left_over.unlink(missing_ok=True)

    def to_disk(self, numbers: Iterable[int]) -> None:
        """Returns when the files of these trials survive a power cut."""
        to_disk(self.folder, (path(number) for number in numbers for path in (self.genome_path, self.result_path)))

    def write_candidate(self, candidate: Candidate) -> str:
        """The genome and what it inherits; returns the checksum."""
        self.result_path(candidate.number).unlink(missing_ok=True)  # of a life that a power cut made undone
        record = {"number": candidate.number, "study": self.identity, **structure_json(candidate.genome.structure)}
        inherited = dict(candidate.inherited or {})
        path = self.genome_path(candidate.number)
        return checkpoint.save_arrays(path, candidate.genome.dag, inherited, record, flush=False)

    def candidate(self, number: int, record: Mapping[str, Any]) -> Candidate:
        """What was asked; `record`: what the storage has of it.

        Raises:
            CheckpointError: the file is damaged.
            NasError: its structure is of a kind that nobody registered in this process.
            OSError: the file is missing.
        """
        path = self.genome_path(number)
        dag, arrays, asked = checkpoint.load_arrays(path)
        if record.get(CHECKSUM) not in (None, checksum(path)):
            raise CheckpointError(f"{path} is not what was written there; restore it from a copy")
        return Candidate(
            number,
            Genome(dag, record["hyperparameters"], structure_in(asked)),
            seed=record["seed"],
            steps=record["steps"],
            parent=record["parent"],
            mutation=record["mutation"],
            inherited=arrays if record["inherited"] else None,
        )

    def write_result(self, result: TrialResult) -> str:
        """The live DAG of a complete trial, its weights, curves and evidence; returns the checksum."""
        assert result.dag is not None
        history = {_HISTORY + name: np.asarray(curve) for name, curve in result.history.items()}
        arrays = {**result.arrays, **history, **evidence_arrays(result.evidence)}
        record = {**result_json(result), **structure_json(result.structure), "study": self.identity}
        return checkpoint.save_arrays(self.result_path(result.number), result.dag, arrays, record, flush=False)

    def result(self, number: int) -> TrialResult:
        """Inverse of `write_result`.

        Raises:
            StudyError: there is no file (the trial failed, or never finished).
            CheckpointError: the file is damaged.
            NasError: its structure is of a kind that nobody registered in this process.
        """
        path = self.result_path(number)
        if not path.is_file():
            raise StudyError(f"trial {number} of study {self._study!r} has no weights at {path}; it did not complete")
        dag, arrays, record = checkpoint.load_arrays(path)
        evidence, arrays = evidence_from(arrays)
        history = {name.removeprefix(_HISTORY): a for name, a in arrays.items() if name.startswith(_HISTORY)}
        trained = {name: a for name, a in arrays.items() if not name.startswith(_HISTORY)}
        structure = structure_in(record)
        return result_of(
            number, record, dag=dag, arrays=trained, history=history, structure=structure, evidence=evidence
        )

    def evidence(self, number: int) -> Evidence | None:
        """What the validation part said of a complete trial, sample by sample; None: that was not kept."""
        if number not in self._evidence:
            try:
                arrays = checkpoint.load_some(self.result_path(number), EVIDENCE)
            except (OSError, CheckpointError):
                arrays = {}
            self._evidence[number] = evidence_from(arrays)[0]
        return self._evidence[number]

    def left_behind(self, number: int) -> TrialResult | None:
        """The result of a trial that was not told; None where there is none, or a power cut has damaged it."""
        path = self.result_path(number)
        if not path.is_file():
            return None
        try:
            found = checkpoint.load_arrays(path)[2].get("study")
            if found in (None, self.identity):  # None: written before the study had one
                return self.result(number)
        except CheckpointError:
            pass
        path.unlink()
        return None

    def survived(self, number: int, result: Mapping[str, Any]) -> bool:
        """Whether the file of a trial that is not settled is as it was written: a power cut may have taken it, and
        left what is said of it. The trial is then run again."""
        wanted = result.get(CHECKSUM)
        if wanted is None or checksum(self.result_path(number)) == wanted:
            return True
        _logger.warning("the weights of trial %d did not reach the disk; it is run again", number)
        self.result_path(number).unlink(missing_ok=True)
        return False

    def damaged(self, number: int, record: Mapping[str, Any], result: Mapping[str, Any]) -> list[Path]:
        """The files of a settled trial that are not what the storage says."""
        wanted = {self.genome_path(number): record.get(CHECKSUM), self.result_path(number): result.get(CHECKSUM)}
        return [path for path, told in wanted.items() if told is not None and checksum(path) != told]

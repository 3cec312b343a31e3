"""Stored files of older and newer versions: read as they were meant, or refused with what to do.

v1/ was written by the program when all formats had version 1, before studies had an identity and checksums. The other
folders are named after the version that wrote them (`write.py`). None is ever written again.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import torch
from optuna.storages import get_storage

import nas
from nas.cli._report import FORMAT, read_status
from nas.cli._standing import standing
from nas.cli.study import check_resumable, export_network
from nas.errors import CheckpointError, GraphError, JobError, NasError
from nas.graph import DAG
from nas.job import Job, stored_job
from nas.search import StudyError, StudyStore
from nas.tracking.mlflow._journal import Journal
from nas.training.cost.calibration import CalibrationError, check_place
from tests.formats.write import exports_said
from tests.kinds import KINDS

ROWS = {
    "size": [0.5, None, 1.5],
    "colour": ["red", "green", "never seen"],
    "seen": ["2026-01-03", "2026-03-01", "2027-01-01"],
}
"""What the networks of the releases were asked; see `write.py`."""

V1 = Path(__file__).parent / "v1"
VERSIONS = sorted(path for path in Path(__file__).parent.iterdir() if re.fullmatch(r"\d+\.\d+\.\d+(-\w+)?", path.name))

JOB = {
    "data": {"source": "iris", "samples": 60},
    "space": {"name": "neuron_dag", "options": {"n_computational": [3, 4], "density": [0.3, 0.6]}},
    "search": {"trials": 5, "strategy": "evolution", "options": {"guided": False, "population": 2, "initial": 3}},
    "training": {"steps": 20, "batch_size": 8, "inference_batch": 16, "log_every": 10, "parametrisation": "free"},
    "resources": {"executor": "serial"},
    "tracking": {"experiment": "golden", "mlflow": False},
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The store folder of the study of version 1."""
    shutil.copytree(V1 / "golden", tmp_path / "golden")
    database = sqlite3.connect(tmp_path / "optuna.db")
    database.executescript((V1 / "study.sql").read_text())
    database.close()
    return tmp_path


# --- version 1, which all later ones must read ----------------------------------------------------------------------


def test_a_study_of_version_1_is_read_and_can_go_on(store: Path) -> None:
    study = StudyStore.open(store, "golden")
    assert study.header["format"] == 1
    counts = study.counts()
    assert (counts["running"], counts["complete"], counts["failed"]) == (0, 5, 0)
    front = study.front()
    assert front.numbers == (1,)
    assert front.members[0].retimed
    records = study.records()
    assert [record.number for record in records] == [0, 1, 2, 3, 4]
    for record in records:
        result = study.load_result(record.number)
        assert record.result is not None
        assert dict(result.metrics) == dict(record.result.metrics)
        assert result.dag is not None and result.dag.n_edges == result.metrics["edges"]
        assert len(result.history["step"]) > 0
        candidate = study.load_candidate(record.number)
        assert (candidate.parent, candidate.seed) == (record.parent, record.seed)
    check_resumable(Job.from_mapping(JOB), study)
    assert study.recover() == ([], [])
    assert study.begin() == 5


def test_a_network_of_a_study_of_version_1_is_exported(store: Path, tmp_path: Path) -> None:
    record = export_network(StudyStore.open(store, "golden"), 1, tmp_path / "best.safetensors")
    assert record["study"] == "golden"
    assert nas.load(tmp_path / "best.safetensors").dag == nas.load(V1 / "knee.safetensors").dag


def test_a_study_that_used_what_is_gone_says_so() -> None:
    assert stored_job({**JOB, "training": {"steps": 7, "distil": None}}, "x").training.steps == 7
    with pytest.raises(JobError, match=r"x: it uses training.distil, but .* is gone; continue it with the version"):
        stored_job({**JOB, "training": {"distil": {"weight": 0.5}}}, "x")


def test_options_that_made_no_difference_are_left_out() -> None:
    old = {"strategy": "evolution", "options": {"crossover": 0.3, "spare": 0.1, "population": 5}}
    assert stored_job({**JOB, "search": old}, "x").search.options == {"population": 5}


def test_a_checkpoint_of_version_1_is_read(store: Path) -> None:
    network = nas.load(V1 / "knee.safetensors")
    assert network.record["trial"] == 1
    result = StudyStore.open(store, "golden").load_result(1)
    assert result.dag is not None
    assert network.dag == result.dag


def test_a_graph_of_version_1_is_read() -> None:
    text = (
        '{"format":"nas.dag","version":1,"n_inputs":2,"n_computational":1,"n_outputs":1,'
        '"sources":[0,1,2],"targets":[2,2,3],"names":["a","b","h","y"]}'
    )
    dag = DAG.from_json(text)
    assert (dag.n, dag.n_edges, dag.names) == (4, 3, ("a", "b", "h", "y"))


def test_a_job_without_a_version_is_of_version_1() -> None:
    assert Job.from_mapping(JOB).version == 1
    assert Job.from_mapping({**JOB, "version": 1}) == Job.from_mapping(JOB)


# --- every release --------------------------------------------------------------------------------------------------


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A store as a release wrote it, and beside it a network and what that says of three rows."""
    shutil.copytree(request.param, tmp_path, dirs_exist_ok=True)
    if (tmp_path / "study.sql").exists():
        database = sqlite3.connect(tmp_path / "optuna.db")
        database.executescript((tmp_path / "study.sql").read_text())
        database.close()
    return tmp_path


def test_a_study_of_every_release_is_whole_and_can_go_on(released: Path) -> None:
    assert VERSIONS
    study = StudyStore.open(released, "golden")
    assert study.identity == json.loads((released / "golden" / "study.json").read_text())["id"]
    assert study.counts() == {"running": 1, "complete": 5, "stopped": 0, "failed": 0}
    for record in [record for record in study.records() if record.state == "complete"]:
        result = study.load_result(record.number)
        assert record.result is not None
        assert dict(result.metrics) == dict(record.result.metrics)
        assert study.evidence(record.number) is not None
        assert study.load_candidate(record.number).seed == record.seed
    shown = standing(study.folder, study.counts())
    assert (shown["state"], shown["complete"], shown["front"]) == ("finished", 5, len(study.front()))
    job = stored_job(study.header["job"]["job"], "golden")
    check_resumable(job, study)
    with study.lock():
        assert study.recover() == ([], [5])
        assert study.begin() == 6


KEPT = sorted((Path(__file__).parent / "kinds").glob("*/*.safetensors"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_network_of_every_kind_of_every_release_answers_as_it_did(path: Path) -> None:
    module = nas.load(path)
    told = json.loads((path.parent / "answers.json").read_text())[module.record["kind"]]
    with torch.no_grad():
        y = module(torch.tensor(told["x"], dtype=torch.float64))
    np.testing.assert_allclose(y.numpy(), told["y"], rtol=1e-9, atol=1e-12)


def test_networks_of_all_kinds_are_kept() -> None:
    assert {name.replace(" ", "-") for name in KINDS} == {path.stem for path in KEPT}


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A store of version 0.1.0 whose driver was killed when its database had three of seven trials."""
    shutil.copytree(Path(__file__).parent / "killed", tmp_path, dirs_exist_ok=True)
    database = sqlite3.connect(tmp_path / "optuna.db")
    database.executescript((tmp_path / "study.sql").read_text())
    database.close()
    return tmp_path


def whole(store: Path) -> None:
    """Nothing that the killed driver did is lost, and the study can go on."""
    study = StudyStore.open(store, "killed")
    assert study.counts() == {"running": 2, "complete": 4, "stopped": 0, "failed": 1}
    assert not (store / "killed" / "journal.jsonl").exists()
    third, fourth, fifth = (study.trial(number) for number in (3, 4, 5))
    assert third.result is not None and dict(third.result.metrics) == dict(study.load_result(3).metrics)
    assert third.ended is not None and third.ended.timestamp() == pytest.approx(1796000253.4766576)
    assert fourth.result is not None and fourth.result.reason == "it diverged"
    assert [(rung.step, rung.passed) for rung in fifth.rungs] == [(5, True)]
    study.verify()
    with study.lock():
        again, unasked = study.recover()
        assert ([candidate.number for candidate in again], unasked) == ([5], [6])
        assert study.rungs(5) == fifth.rungs and study.begin() == 7
    trials = study.study.trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4 + ["FAIL"] + ["RUNNING"] * 2
    assert trials[3].params and trials[3].params.keys() == trials[0].params.keys()
    assert trials[5].intermediate_values == {5: 0.25}
    assert all(trial.system_attrs.keys() == {"NSGAIISampler:generation"} for trial in trials[:6])


def test_what_a_killed_driver_of_version_0_1_did_is_brought_over(killed: Path) -> None:
    assert StudyStore.studies(killed) == ["killed"]
    whole(killed)


@pytest.mark.parametrize("call", range(1, 20))
def test_whoever_brings_it_over_may_be_killed_anywhere(
    call: int, killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def count(*given: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call:
                raise KeyboardInterrupt
            return real(*given, **named)

        return count

    storage = type(get_storage(f"sqlite:///{killed}/optuna.db"))
    with monkeypatch.context() as patch:
        for name in ("create_new_trial", "set_trial_param", "set_trial_user_attr", "set_trial_system_attr",
                     "set_trial_state_values", "set_trial_intermediate_value"):  # fmt: skip
            patch.setattr(storage, name, counted(getattr(storage, name)))
        with pytest.raises(KeyboardInterrupt):
            StudyStore.open(killed, "killed")
    whole(killed)


@pytest.mark.parametrize(
    "line",
    [
        {"n": 0},
        {"begun": 1.0},
        {"n": -1, "begun": 1.0},
        {"n": True, "begun": 1.0},
        {"n": 0, "begun": "soon"},
        {"n": 0, "asked": {}, "params": {"rate": 3}},
        {"n": 0, "rung": {"step": 1}, "value": 1.0},
        {"n": 0, "ended": 1.0, "state": "DEAD", "values": [], "result": {}},
        {"n": 0, "ended": 1.0, "state": "FAIL", "values": [], "result": {"status": "failed"}},
        {"n": 0, "ended": 1.0, "state": "FAIL", "result": None},
    ],
)
def test_a_former_journal_with_an_entry_that_is_none_is_refused(line: object, killed: Path) -> None:
    (killed / "killed" / "journal.jsonl").write_text('{"format": 1}\n' + json.dumps(line) + "\n")
    with pytest.raises(StudyError, match=r"journal.jsonl holds an entry that is none .*restore the folder"):
        StudyStore.open(killed, "killed")


@pytest.mark.parametrize("line", [b'{"n": 1, "beg', b"\x00\xff\x00", b"5", b""])
def test_a_damaged_line_of_a_former_journal_is_refused_unless_torn(line: bytes, killed: Path) -> None:
    journal = killed / "killed" / "journal.jsonl"
    kept = journal.read_bytes()
    journal.write_bytes(b'{"format":1}\n' + line + b"\n" + b'{"n":3,"begun":3.0}\n')
    with pytest.raises(StudyError, match="journal.jsonl, line 2, is damaged.*restore the folder of the study"):
        StudyStore.open(killed, "killed")
    journal.write_bytes(kept + line)
    whole(killed)


def test_new_studies_of_an_old_store_are_in_files_of_their_own(killed: Path) -> None:
    new = StudyStore.create(killed, "new")
    assert (new.folder / "optuna.journal").exists()
    assert StudyStore.studies(killed) == ["killed", "new"]
    with pytest.raises(StudyError, match="exists already"):
        StudyStore.create(killed, "killed")
    StudyStore.open(killed, "killed").delete()
    assert StudyStore.studies(killed) == ["new"]
    new.delete()
    assert StudyStore.studies(killed) == []


def test_a_flipped_byte_of_every_release_is_noticed(released: Path) -> None:
    path = released / "golden" / "trials" / "000002.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(StudyError, match=r"000002\.safetensors is not what was written there"):
        StudyStore.open(released, "golden").recover()


def test_a_network_of_every_release_answers_as_it_did(released: Path) -> None:
    said = nas.Predictor.load(released / "network.safetensors").answers(pd.DataFrame(ROWS))
    expected = json.loads((released / "answers.json").read_text())
    assert list(said["prediction"]) == [row["prediction"] for row in expected]
    for name in ("probability_a", "probability_b"):
        np.testing.assert_allclose(said[name], [row[name] for row in expected], rtol=1e-5, atol=1e-7)
    path = export_network(StudyStore.open(released, "golden"), 1, released / "again.safetensors")
    assert path["study"] == "golden"


# --- other versions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 99])
def test_a_graph_of_another_version_is_refused(version: int) -> None:
    text = DAG(2, 0, 1, [(0, 2), (1, 2)]).to_json().replace('"version":1', f'"version":{version}')
    with pytest.raises(GraphError, match=r"update dag-nas|whole number from 1"):
        DAG.from_json(text)


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_checkpoint_of_another_version_is_refused(version: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    data = (V1 / "knee.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    arrays = safetensors.numpy.load(data)
    path.write_bytes(safetensors.numpy.save(arrays, metadata={**metadata, "version": version}))
    with pytest.raises(CheckpointError, match=rf"has format version '{version}', this package reads version"):
        nas.load(path)


def test_a_study_of_a_newer_version_is_refused(store: Path) -> None:
    database = sqlite3.connect(store / "optuna.db")
    with database:
        changed = database.execute(
            "UPDATE study_user_attributes SET value_json = replace(value_json, '\"format\": 1', '\"format\": 99')"
        )
    assert changed.rowcount > 0
    database.close()
    with pytest.raises(StudyError, match=r"study 'golden' has format 99, newer than \d+; upgrade to open it"):
        StudyStore.open(store, "golden")


@pytest.mark.parametrize("version", [0, 2])
def test_a_journal_of_another_version_keeps_its_study_closed(version: int, store: Path) -> None:
    journal = store / "golden" / "journal.jsonl"
    journal.write_text(f'{{"format":{version}}}\n{{"n":5,"begun":1.0}}\n')
    with pytest.raises(StudyError, match=rf"journal.jsonl has format {version}, this program reads 1; upgrade"):
        StudyStore.open(store, "golden")


@pytest.mark.parametrize("version", [0, 2, "two"])
def test_a_job_of_another_version_is_refused(version: object) -> None:
    with pytest.raises(JobError, match=r"job: version is .*(update dag-nas|greater than or equal to 1|whole number)"):
        Job.from_mapping({**JOB, "version": version})


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "mlflow.jsonl"
    text = '{"format": 2, "search": "x"}\n{"something": "new"}\n'
    path.write_text(text)
    with caplog.at_level(logging.WARNING):
        journal = Journal(path)
    assert "was written by a newer version" in caplog.text
    journal.begin("mine")
    assert path.read_text() == text


def test_a_calibration_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text('{"version": 2, "machines": {}}')
    with pytest.raises(CalibrationError, match=r"no calibration of version 1 .*; delete it and run: nas calibrate"):
        check_place(path)


def test_a_status_of_another_version(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None
    (tmp_path / "status.json").write_text('{"format": 1, "study"')  # torn
    assert read_status(tmp_path) is None
    (tmp_path / "status.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(NasError, match=rf"has format {FORMAT + 1}, this program reads up to {FORMAT}; upgrade it"):
        read_status(tmp_path)


def test_arrays_of_the_golden_checkpoint_have_not_changed() -> None:
    network = nas.load(V1 / "knee.safetensors")
    (weight,) = (parameter.detach().numpy() for name, parameter in network.named_parameters() if name == "weight")
    assert weight.shape == (network.dag.n_edges,)
    assert np.isfinite(weight).all()


@pytest.mark.parametrize("folder", sorted((Path(__file__).parent / "exports").iterdir()), ids=lambda path: path.name)
def test_exported_files_of_every_version_say_what_they_said(folder: Path) -> None:
    """ONNX, torch's program and C, and the checkpoint that they came from."""
    then, now = json.loads((folder / "answers.json").read_text()), exports_said(folder)
    assert now.pop("labels") == then.pop("labels")
    assert now.pop("integers") == then.pop("integers")
    (then_class, then_scores), (now_class, scores) = then.pop("c"), now.pop("c")
    assert now_class == then_class
    np.testing.assert_allclose(scores, then_scores, rtol=1e-5, atol=1e-5)
    for kind, said in then.items():
        np.testing.assert_allclose(now[kind], said, rtol=1e-5, atol=1e-5, err_msg=kind)
    np.testing.assert_allclose(now["predictor"], now["onnx"][1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(now["pt2"], scores, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(now["pt2"], now["onnx"][0], rtol=1e-4, atol=1e-4)

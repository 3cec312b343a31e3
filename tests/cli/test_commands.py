"""The commands as a user runs them, in this process and without Ray; their exit codes and what they say."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from nas.cli import _patience, app, study
from nas.job import job_schema

JOB = """
data: {source: wine}
space: {name: neuron_dag, options: {n_computational: 5, density: 0.3}}
search: {trials: 4, objectives: [error, edges], baselines: false}
training: {steps: 20, batch_size: 32, log_every: 10}
resources: {executor: serial}
tracking: {mlflow: false}
"""


def nas(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="nas")


def plain(result: Result) -> str:
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a job file and the store of its finished search."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "small.yaml").write_text(JOB)
    result = nas("search", folder / "small.yaml", "--set", f"tracking.store={folder / 'store'}")
    assert result.exit_code == 0, result.output
    (folder / "output").write_text(result.output)
    return folder


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.delenv("NAS_STORE", raising=False)
    if "folder" in request.fixturenames:
        monkeypatch.setenv("NAS_STORE", str(request.getfixturevalue("folder") / "store"))


def test_search_ends_with_a_table_a_checkpoint_and_what_to_do_next(folder: Path) -> None:
    output = " ".join((folder / "output").read_text().split())
    assert "4 done, 0 running, 0 failed of 4" in output
    assert "hypervolume" in output
    assert "best: trial" in output
    assert "loaded again, it has test accuracy" in output
    assert "nas report small" in output
    assert (folder / "store" / "small" / "best.safetensors").exists()


def test_no_room_for_the_exported_network_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is done by then: it must not end with a traceback behind its table."""
    real, tried = study.export_network, []

    def export(*given: Any, **options: Any) -> Any:
        tried.append(given)
        if len(tried) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "best.safetensors")
        return real(*given, **options)

    monkeypatch.setattr(study, "export_network", export)
    monkeypatch.setattr(_patience, "_ROOM_SECONDS", 0.01)
    (tmp_path / "small.yaml").write_text(JOB)
    result = nas("search", tmp_path / "small.yaml", "--trials", "2", "--set", f"tracking.store={tmp_path / 'store'}")
    assert result.exit_code == 0, result.output
    assert "waiting until there is room in" in plain(result) and "there is room again; going on" in plain(result)
    assert "loaded again, it has test accuracy" in plain(result)


def test_no_right_to_write_the_exported_network_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def export(*given: Any, **options: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "best.safetensors")

    monkeypatch.setattr(study, "export_network", export)
    (tmp_path / "small.yaml").write_text(JOB)
    result = nas("search", tmp_path / "small.yaml", "--trials", "2", "--set", f"tracking.store={tmp_path / 'store'}")
    assert result.exit_code == 1
    assert "error: best.safetensors: permission denied; name another place, or have its permissions" in plain(result)


def test_a_study_is_not_overwritten_but_continued(folder: Path) -> None:
    job = folder / "small.yaml"
    refused = nas("search", job)
    assert refused.exit_code == 2
    assert "study 'small' exists" in plain(refused)
    assert "--resume" in plain(refused)
    assert "tracking.experiment=small-2" in plain(refused)
    grown = nas("search", job, "--resume", "--trials", "6")
    assert grown.exit_code == 0, grown.output
    assert "resuming: 4 trials complete" in plain(grown)
    assert "6 done, 0 running, 0 failed of 6" in plain(grown)
    done = nas("search", job, "--resume", "--trials", "6")
    assert done.exit_code == 0
    assert "all 6 trials are done; more: " in plain(done) and plain(done).count("--trials") == 1
    assert "--resume --trials 12" in plain(done)
    other = nas("search", job, "--resume", "--set", "data.seed=5")
    assert other.exit_code == 2
    assert "data differs from that of study 'small' (seed: 0 before, 5 now)" in plain(other)


def test_front(folder: Path) -> None:
    table = nas("front", "small")
    assert table.exit_code == 0
    assert "accuracy (95 %)" in table.output and "to expect on samples that did not choose the network" in plain(table)
    found = json.loads(nas("front", "small", "--json").stdout)
    assert found["objectives"] == ["error", "edges"]
    assert found["knee"] in [member["trial"] for member in found["front"]]
    errors = [member["objectives"]["error"] for member in found["front"]]
    assert errors == sorted(errors) == [member["metrics"]["shown_error"] for member in found["front"]]
    for member in found["front"]:
        m = member["metrics"]
        assert m["shown_accuracy_low"] <= m["shown_accuracy"] <= m["shown_accuracy_high"]
    missing = nas("front", "absent")
    assert missing.exit_code == 1
    assert "no study 'absent'" in plain(missing)


def test_export_and_evaluate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = folder / "best.safetensors"
    exported = nas("export", "small", "--pick", "accurate", "--out", out)
    assert exported.exit_code == 0, exported.output
    front = json.loads(nas("front", "small", "--json").stdout)["front"]
    best = front[0]["metrics"]
    for source in ((), ("--data", "wine")):
        found = json.loads(nas("evaluate", out, "--json", *source).stdout)
        assert found["accuracy"] == pytest.approx(best["test_accuracy"])
        assert found["loss"] == pytest.approx(best["test_loss"], rel=1e-4)
        assert found["edges"] == best["edges"]
        assert found["samples"] == 36
        assert found["inference_seconds"] > 0
    assert json.loads(nas("evaluate", out, "--json", "--part", "all").stdout)["samples"] == 178
    assert "accuracy" in nas("evaluate", out).output


def test_evaluate_on_a_file_of_ones_own_uses_the_scaling_of_the_training(folder: Path) -> None:
    from sklearn.datasets import load_wine

    bunch = load_wine()
    np.savez(folder / "raw.npz", x=bunch.data, y=bunch.target_names[bunch.target])
    out = folder / "best.safetensors"
    nas("export", "small", "--out", out)
    own = json.loads(nas("evaluate", out, "--data", folder / "raw.npz", "--json").stdout)
    same = json.loads(nas("evaluate", out, "--part", "all", "--json").stdout)
    assert own["samples"] == 178
    assert own["accuracy"] == same["accuracy"]


def test_evaluate_finds_the_columns_of_a_table_by_name(folder: Path) -> None:
    import pandas as pd
    from sklearn.datasets import load_wine

    bunch = load_wine(as_frame=True)
    table: pd.DataFrame = bunch.data.iloc[:, ::-1].assign(kind=bunch.target_names[bunch.target])
    table.to_csv(folder / "turned.csv", index=False)
    table.drop(columns="ash").to_csv(folder / "narrow.csv", index=False)
    out = folder / "best.safetensors"
    nas("export", "small", "--out", out)
    own = json.loads(nas("evaluate", out, "--data", folder / "turned.csv", "--json").stdout)
    assert own["accuracy"] == json.loads(nas("evaluate", out, "--part", "all", "--json").stdout)["accuracy"]
    narrow = nas("evaluate", out, "--data", folder / "narrow.csv")
    assert narrow.exit_code == 1
    assert "column 'ash' is missing" in plain(narrow)


def test_evaluate_without_the_data_of_the_training_says_what_to_do(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", x=np.random.default_rng(0).normal(size=(60, 3)), y=np.arange(60) % 2)
    (tmp_path / "mine.yaml").write_text(JOB.replace("wine", "mine.npz"))
    assert nas("search", "mine.yaml", "--trials", "1").exit_code == 0
    nas("export", "mine", "--out", "mine.safetensors")
    (tmp_path / "mine.npz").unlink()
    gone = nas("evaluate", "mine.safetensors")
    assert gone.exit_code == 1
    assert "the network was trained on it, --data names other data" in plain(gone)


def test_refusals_of_export_and_evaluate(folder: Path) -> None:
    out = folder / "best.safetensors"
    assert nas("export", "small", "--pick", "accuracy>=1.5").exit_code == 1
    refused = plain(nas("export", "small", "--pick", "accuracy>=1.5"))
    assert "no member of the front has accuracy >= 1.5" in refused
    nas("export", "small", "--out", out)
    other = nas("evaluate", out, "--data", "iris")
    assert other.exit_code == 1
    assert "iris: 4 features, but the network was trained on 13" in plain(other)
    unknown = nas("evaluate", out, "--data", "irises")
    assert unknown.exit_code == 2
    assert "--data 'irises': expected one of digits" in plain(unknown)
    assert nas("evaluate", out, "--part", "half").exit_code == 2
    (folder / "broken.safetensors").write_bytes(out.read_bytes()[:100])
    broken = nas("evaluate", folder / "broken.safetensors")
    assert broken.exit_code == 1
    assert "truncated" in plain(broken)
    assert nas("evaluate", folder / "gone.safetensors").exit_code == 1


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        (("export", "small"), "c"),
        (("watch", "small"), "html"),
        (("report", "small"), "html"),
        (("predict", "small", "rows.csv"), "csv"),
        (("compare", "small", "other"), "png"),
        (("lineage", "small"), "png"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    folder: Path, tmp_path: Path, command: tuple[str, ...], ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def began(*_: Any, **__: Any) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr("nas.search.StudyStore.open", began)
    monkeypatch.setattr("nas.search.StudyStore.exists", began)
    (tmp_path / f"there.{ending}").mkdir()
    for name in (f"nowhere/x.{ending}", f"there.{ending}"):
        result = nas(*command, "--out", tmp_path / name)
        assert result.exit_code == 1, result.output
        assert "cannot be written, because" in plain(result)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("loop", "too many levels of symbolic links; a link leads back to itself"),
        ("x" * 300, "file name too long; name a shorter one"),
        ("file/x", "cannot be written, because there is no folder"),
        ("full", "no space left on device; make room there"),
    ],
    ids=["loop", "long", "file", "full"],
)
@pytest.mark.parametrize("form", ["safetensors", "c", "onnx", "pt2", "graphml", "dot"])
def test_a_place_that_cannot_be_written_is_a_sentence(
    folder: Path, tmp_path: Path, place: str, message: str, form: str
) -> None:
    (tmp_path / f"loop.{form}").symlink_to(f"loop.{form}")
    (tmp_path / "file").touch()
    (tmp_path / f"full.{form}").symlink_to("/dev/full")
    result = nas("export", "small", "--out", tmp_path / f"{place}.{form}")
    assert result.exit_code == 1, result.output
    assert plain(result).startswith("error: ") and f"{place}.{form}: " in plain(result)
    assert message in plain(result)
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("place", ["loop", "file", "x" * 300], ids=["loop", "file", "long"])
@pytest.mark.parametrize(
    "command",
    [
        ("front", "small"),
        ("studies",),
        ("status",),
        ("metrics", "--once"),
        ("replay", "0"),
        ("delete", "small", "--yes"),
    ],
    ids=lambda command: command[0],
)
def test_a_store_that_cannot_be_one_is_a_sentence(tmp_path: Path, place: str, command: tuple[str, ...]) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    result = nas(*command, "--store", tmp_path / place)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search",), "Missing argument"),
        (("search", "gone.yaml"), "no such job file"),
        (("serch",), "No such command"),
        (("search", "x.yaml", "--tirals", "3"), "No such option"),
        (("search", "x.yaml", "--trials", "many"), "Invalid value"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], message: str) -> None:
    result = nas(*arguments)
    assert result.exit_code == 2
    assert message in plain(result)


def test_a_bad_job_file_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("search: {trails: 3}")
    result = nas("search", tmp_path / "job.yaml", "--set", f"tracking.store={tmp_path / 'store'}")
    assert result.exit_code == 2
    assert "unknown key search.trails; did you mean search.trials?" in plain(result)
    (tmp_path / "job.yaml").write_text("space: {options: {n_computationl: 3}}")
    result = nas("search", tmp_path / "job.yaml", "--set", f"tracking.store={tmp_path / 'store'}")
    assert result.exit_code == 2
    assert "space.options.n_computationl" in plain(result)
    assert not (tmp_path / "store").exists()


def test_trials_that_all_fail_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB.replace("training: {", "training: {optimizer: sgd, learning_rate: 1e30, "))
    hyperparameters = "space.options.hyperparameters={}"
    store = f"tracking.store={tmp_path / 'store'}"
    result = nas("search", tmp_path / "job.yaml", "--trials", "2", "--set", store, "--set", hyperparameters)
    assert result.exit_code == 1
    assert "no trial completed, 2 failed" in plain(result)
    assert "the loss must stay finite" in plain(result)


def test_schema(tmp_path: Path) -> None:
    printed = json.loads(nas("schema").stdout)
    assert printed["$defs"].keys() >= job_schema()["$defs"].keys()
    assert "n_computational" in json.dumps(printed)  # options of the built-in spaces
    assert nas("schema", "--out", tmp_path / "s.json").exit_code == 0
    assert json.loads((tmp_path / "s.json").read_text()) == printed


def test_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = nas("doctor", "--json", "--store", tmp_path / "store")
    findings = {finding["subject"]: finding for finding in json.loads(result.stdout)}
    assert result.exit_code == 0, findings
    assert findings["engine"]["state"] == "ok"
    assert {"python", "packages", "processor", "gpu", "mnist", "port 5000"} <= findings.keys()
    monkeypatch.setattr("nas.cli._doctor._NEEDED", ("numpy", "surely-not-installed"))
    broken = nas("doctor", "--store", tmp_path / "store")
    assert broken.exit_code == 1
    assert "not installed: surely-not-installed; run: make install" in plain(broken)


def test_ui_without_runs_or_port(tmp_path: Path) -> None:
    import socket

    result = nas("ui", "--store", tmp_path)
    assert result.exit_code == 1
    assert "run a search first" in plain(result)
    (tmp_path / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = nas("ui", "--store", tmp_path, "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert "is in use" in plain(result)


@pytest.mark.parametrize("command", ["search", "front", "export", "evaluate", "ui", "doctor", "schema"])
def test_every_command_has_help(command: str) -> None:
    result = nas(command, "--help")
    assert result.exit_code == 0
    assert len(result.output) > 300


def test_a_study_of_an_older_program_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nas.cli.study import check_resumable
    from nas.errors import JobError
    from nas.job import Job

    class Study:
        name = "old"

    stored = Job().to_mapping(complete=True)
    del stored["training"]["schedule"]  # a field that came later
    Study.header = {"job": {"job": stored}}  # type: ignore[attr-defined]
    check_resumable(Job(), Study())  # type: ignore[arg-type]
    stored["training"]["steps"] = 7
    with pytest.raises(JobError, match="training differs from that of study 'old' .steps: 7 before, 1000 now"):
        check_resumable(Job(), Study())  # type: ignore[arg-type]

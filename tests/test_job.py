"""Job files: defaults, overrides, and messages that name line, value and remedy."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from nas.cli import app
from nas.errors import JobError
from nas.job import Job, job_schema

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.yaml"))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my job.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(JobError) as caught:
        Job.from_yaml(write(tmp_path, text), overrides)
    return str(caught.value)


def test_empty_sections_are_a_complete_job(tmp_path: Path) -> None:
    for text in ("data: {}\n", "search:\ndata:\n"):
        job = Job.from_yaml(write(tmp_path, text))
        assert job.data.source == "digits"
        assert job.search.objectives == ("error", "inference_time")
        assert job.tracking.experiment == "my-job"
        assert job.resources.worker_count() >= 1


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid(path: Path) -> None:
    job = Job.from_yaml(path)
    assert job.tracking.experiment == path.stem


def test_round_trip_through_plain_values(tmp_path: Path) -> None:
    job = Job.from_yaml(write(tmp_path, "search: {strategy: optuna, options: {sampler: gp}, budget_minutes: 3}"))
    assert Job.from_mapping(json.loads(json.dumps(job.to_mapping()))) == job


def test_overrides(tmp_path: Path) -> None:
    path = write(tmp_path, "search: {trials: 5}\ntraining: {learning_rate: 1e-2}\n")
    job = Job.from_yaml(
        path,
        [
            "search.trials=7",
            "search.objectives=[error, edges]",
            "training.losses.flow=0",
            "space.options.density=0.1",
            "data.source=a=b.csv",
            "resources.address=",
        ],
    )
    assert job.search.trials == 7
    assert job.search.objectives == ("error", "edges")
    assert job.training.losses.flow == 0
    assert job.training.learning_rate == 0.01
    assert job.space.options == {"density": 0.1}
    assert job.data.source == "a=b.csv"
    assert job.resources.address is None


def test_the_environment_moves_the_store_but_an_override_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "tracking: {store: from-file}")
    assert Job.from_yaml(path).tracking.store == Path("from-file")
    monkeypatch.setenv("NAS_STORE", "/somewhere")
    assert Job.from_yaml(path).tracking.store == Path("/somewhere")
    assert Job.from_yaml(path, ["tracking.store=here"]).tracking.store == Path("here")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("search:\n  trails: 3", "line 2: unknown key search.trails; did you mean search.trials?"),
        ("data:\n\n  sorce: digits", "line 3: unknown key data.sorce; did you mean data.source?"),
        ("trials: 3", "line 1: unknown key trials; did you mean search.trials?"),
        ("serch: {}", "unknown key serch; did you mean search?"),
        ("training: {losses: {flo: 1}}", "unknown key training.losses.flo; did you mean training.losses.flow?"),
        ("search: {zzz: 3}", "unknown key search.zzz; allowed here: strategy, trials, objectives"),
        ("search: {trials: 0}", "line 1: search.trials is 0; it must be greater than or equal to 1"),
        ("search: {trials: many}", "search.trials is 'many'; it must be a whole number"),
        (
            "search: {objectives: [error, speed]}",
            "there is no objective 'speed'; besides costs and error there are module:function and",
        ),
        ("search: {objectives: [edges, edges]}", "each objective may be named once"),
        ("search: {budget_minutes: 2 minutes}", "search.budget_minutes is '2 minutes'; it must be a number"),
        ("search: {budget_minutes: 'inf'}", "search.budget_minutes is 'inf'; it must be a finite number"),
        ("search: {objectives: error}", "search.objectives is 'error'; it must be a list: [one, another]"),
        ("search: {objectives: []}", "search.objectives is []; it must have at least 1 item"),
        ("space: {name: 3}", "space.name is 3; it must be text"),
        ("tracking: {experiment: ../x}", "it must begin with a letter or digit; up to 100 letters, digits and ._-"),
        ("tracking: {model: a/b}", "it must hold 1 to 200 characters, none of them / or :"),
        ("search: {strategy: genetic}", "search.strategy is 'genetic'; expected one of evolution, optuna, random"),
        ("search: {options: {popultion: 3}}", "unknown key search.options.popultion; did you mean search.options.pop"),
        ("search: {strategy: optuna, options: {sampler: x}}", "search.options.sampler is 'x'; it must be 'tpe'"),
        (
            "search:\n  options:\n    crossover: 0.3",
            "line 3: search.options.crossover is gone, because it did not pay; delete the line",
        ),
        ("search: {options: {spare: 0.1}}", "search.options.spare is gone, because it did not pay"),
        ("search: {strategy: random, options: {population: 3}}", "unknown key search.options.population"),
        ("search: 7", "search is 7; it must be a section with keys: strategy, trials"),
        ("data: {source: nope}", "data.source is 'nope'; expected one of digits"),
        ("resources: {device: tpu}", "resources.device is 'tpu'; it must be 'auto', 'cpu' or 'cuda'"),
        ("search: {group: 0}", "search.group is 0; it must be greater than or equal to 1"),
        ("tracking: {experiment: a/b}", "tracking.experiment is 'a/b'"),
        ("training: {learning_rate: .nan}", "line 1: training.learning_rate is nan; numbers must be finite"),
        ("search: {budget_minutes: .inf}", "numbers must be finite"),
        ("search: {trials: 3, trials: 4}", "search.trials is already given in line 1; remove one"),
        ("- a\n- b", "expected sections such as `data:` and `search:`, got a list"),
        ("search: [", "not valid YAML in line 1"),
        ("search: !!python/object/apply:os.system ['true']", "not valid YAML in line 1"),
        ("space: {options: {1: 2}}", "the key 1 is no text"),
        ("data: {seed: 2024-13-45}", "cannot be read"),
        ("resources: {workers: true}", "resources.workers is True; it must be a whole number"),
        ("training: {learning_rate: yes}", "training.learning_rate is True; it must be a number"),
        ("training: {losses: {time: on}}", "training.losses.time is True; it must be a number"),
        ("search: {options: {roots: false}}", "search.options.roots is False; it must be a number"),
        ("data: {class_weight: balance}", "data.class_weight is 'balance'; it must be 'balanced' or keys with values"),
        ("data: {class_weight: {a: x}}", "data.class_weight.a is 'x'; it must be a number"),
        ("data: {target: [1]}", "data.target[0] is 1; it must be text"),
        ("data: {target: 1}", "data.target is 1; it must be text (in quotes where it looks like a number) or a list"),
        ("data: {header: perhaps}", "data.header is 'perhaps'; it must be 'auto' or true or false"),
        ("data: {source: 'openml:'}", "data.source is 'openml:'; something is missing after the colon: openml:NAME"),
        ("data: {source: 'mine:'}", "something is missing after the colon: module:function"),
        ("data: {source: ':table'}", "something is missing before the colon: module:function"),
    ],
)
def test_refusals_name_the_place_and_the_way_out(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["digits", "--minutes", "-1"], "--minutes: search.budget_minutes is -1.0; it must be greater than 0"),
        (["digits", "--minutes", "inf"], "it must be a finite number"),
        (
            ["digits", "--set", "search.budget_minutes=soon"],
            "--set: search.budget_minutes is 'soon'; it must be a number",
        ),
        (["digits", "--trials", "1.5"], "'1.5': it must be a whole number"),
        (["digits", "--set", "search.trials=[5"], "not valid YAML: expected ',' or ']'"),
        ([""], "there is no source; name a job file (.yaml) or data"),
    ],
)
def test_refusals_name_the_option_that_was_typed(words: list[str], expected: str) -> None:
    done = CliRunner().invoke(app, ["search", *words, "--dry-run"], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert expected in done.output
    assert not re.search("should|unable to parse|<unicode string>", done.output), "no other library's words"


def test_every_wrong_item_is_named(tmp_path: Path) -> None:
    message = refusal(tmp_path, "search: {constraints: [edges<9, edges<=9, depth<=x]}")
    assert "there is 'edges<9'" in message and "there is 'depth<=x'" in message and message.count("\n") == 1
    message = refusal(tmp_path, "search: {constraints: [edjes<=9, depth<=9, dephth<=3]}")
    assert "did you mean 'edges'? 'dephth<=3' bounds what networks do not have; did you mean 'depth'? They" in message
    assert refusal(tmp_path, "search: {objectives: [eror, egdes]}").count("there is no objective") == 2
    assert refusal(tmp_path, "data: {kinds: {a: x, b: y}}").count("expected number, category or date") == 2


def test_every_problem_is_listed_but_not_hundreds(tmp_path: Path) -> None:
    message = refusal(tmp_path, "search: {trials: 0, seed: -1}\ndata: {sorce: x}")
    assert message.count("\n") == 2
    assert refusal(tmp_path, "\n".join(f"k{i}: 1" for i in range(30))).endswith("… and 22 more")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("search.trials", "expected path.to.key=value"),
        ("=3", "expected path.to.key=value"),
        ("search.trials=[", "the value is not valid YAML"),
        ("search.trials.x=3", "search.trials is 5, no section"),
        ("search.trials=-1", "search.trials is -1; it must be greater"),
        ("search.trial=1", "unknown key search.trial; did you mean search.trials?"),
        ("training.learning_rate=.inf", "numbers must be finite"),
    ],
)
def test_bad_overrides(tmp_path: Path, override: str, expected: str) -> None:
    message = refusal(tmp_path, "search: {trials: 5}", override)
    assert expected in message
    assert message.startswith("--set")  # line 1 holds another value


def test_hostile_files_are_refused_quickly(tmp_path: Path) -> None:
    layers = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    layers += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "once aliases are expanded" in refusal(tmp_path, "\n".join(layers))
    assert "once aliases are expanded" in refusal(tmp_path, "a: &a [*a]")
    assert "nested too deeply" in refusal(tmp_path, "a: " + "[" * 5000)
    assert "nested too deeply" in refusal(tmp_path, "a: " + "[" * 900 + "1" + "]" * 900)
    assert "search.strategy" in refusal(tmp_path, "search: {strategy: none such, options: 3}")
    assert "at most 1048576 bytes" in refusal(tmp_path, "#" * (2**20 + 1))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(JobError, match="not UTF-8"):
        Job.from_yaml(tmp_path / "binary.yaml")
    with pytest.raises(JobError, match="no such job file"):
        Job.from_yaml(tmp_path / "gone.yaml")
    with pytest.raises(JobError, match="cannot be read"):
        Job.from_yaml(tmp_path)


def test_schema_accepts_the_examples_and_refuses_what_the_job_refuses() -> None:
    schema = job_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in EXAMPLES:
        validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    for wrong in (
        {"serch": {}},
        {"search": {"trials": 0}},
        {"search": {"options": {"sampler": "tpe"}}},  # an option of optuna; the default strategy is evolution
        {"search": {"strategy": "optuna", "options": {"sampler": "x"}}},
        {"training": {"losses": {"flo": 1}}},
    ):
        assert list(validator.iter_errors(wrong)), wrong
    assert not list(validator.iter_errors({"search": {"strategy": "optuna", "options": {"sampler": "tpe"}}}))

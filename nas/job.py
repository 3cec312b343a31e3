"""The job: everything that a search needs to know, validated before anything runs.

A job file is YAML with the sections below, each optional. What a section means is written where it is used; this
module puts them together and turns pydantic's findings into messages that name the line, the value and the way out.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from nas._jobfile import KeyPath, apply_overrides, dotted, read_yaml
from nas._schema import space_rules
from nas._settings import unused_settings
from nas.errors import JobError
from nas.search.config import SPACES, STRATEGY_OPTIONS, ResourcesConfig, SearchConfig, SpaceConfig
from nas.search.front.constraints import Bound
from nas.tracking.config import MODEL_NAME, NAME, TrackingConfig
from nas.training.data.config import DataConfig
from nas.training.quality.objectives import OBJECTIVES
from nas.training.types import TrainingConfig

__all__ = ["Job", "data_name", "experiment_name", "job_schema", "plain_words", "stored_job"]

VERSION: Final = 1  # of job files; raised when a key changes its meaning
# Keys that earlier programs had, in sections: studies keep whole jobs, with the values of keys that nobody set.
_RETIRED: Final = {("training", "distil"): "distillation did not pay and is gone"}
# Options that strategies had: nothing depends on them but which candidates would have come next.
_RETIRED_OPTIONS: Final = ("crossover", "spare", "swap", "improve", "keep")
_MAX_PROBLEMS: Final = 8


class Job(BaseModel):
    """A search job: data, space, search, training, resources and tracking, immutable and complete."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="nas job")

    version: int = Field(
        VERSION, ge=1, description="Of this format; may be left out. Files of other versions are refused."
    )
    data: DataConfig = Field(default_factory=DataConfig, description="Which data, and how it is split and scaled.")
    space: SpaceConfig = Field(default_factory=SpaceConfig, description="Which candidates exist.")
    search: SearchConfig = Field(default_factory=SearchConfig, description="How candidates are chosen; when to stop.")
    training: TrainingConfig = Field(default_factory=TrainingConfig, description="How every candidate is trained.")
    resources: ResourcesConfig = Field(default_factory=ResourcesConfig, description="Where candidates are trained.")
    tracking: TrackingConfig = Field(default_factory=TrackingConfig, description="Where everything is kept.")

    @field_validator("version")
    @classmethod
    def _read_by_this_program(cls, version: int) -> int:
        if version > VERSION:
            raise ValueError(f"this program reads job files of version 1…{VERSION}; update dag-nas")
        return version

    @classmethod
    def from_yaml(
        cls,
        path: Path | str,
        overrides: Iterable[str] = (),
        *,
        environment: bool = True,
        options: Mapping[str, str] | None = None,
    ) -> Job:
        """The job in a YAML file.

        An experiment without a name is named after the file. ``$NAS_STORE`` replaces the file's store folder.

        Args:
            path: the file, at most 1 MiB.
            overrides: ``path.to.key=value``, applied last; values are read as YAML.
            environment: False where the job will run elsewhere: then ``$NAS_STORE`` of this machine plays no part.
            options: what messages call the place of an override, by its key; default: ``--set``.

        Raises:
            JobError: the file or an override cannot be read, or a key, type or range is wrong.
        """
        path = Path(path)
        values, lines = read_yaml(path)
        if not values:
            raise JobError(f"{path}: the job file is empty; say at least which data: {{source: …}}")
        places = {key: f"{path}, line {line}" for key, line in lines.items()}
        return cls._completed(values, path.stem, overrides, str(path), places, environment, options)

    @classmethod
    def from_source(
        cls,
        source: Path | str,
        overrides: Iterable[str] = (),
        *,
        environment: bool = True,
        options: Mapping[str, str] | None = None,
    ) -> Job:
        """The job in a YAML file, or the job of data, with the defaults of all the rest.

        Args:
            source: a file ending in .yaml or .yml; else whatever ``data.source`` may be.
            overrides, environment, options: see `from_yaml`.

        Raises:
            JobError: see `from_yaml`; or the source is empty.
        """
        if not str(source):
            raise JobError("'': there is no source; name a job file (.yaml) or data, e.g. table.csv")
        if str(source).lower().endswith((".yaml", ".yml")):
            return cls.from_yaml(source, overrides, environment=environment, options=options)
        values: dict[str, Any] = {"data": {"source": str(source)}}
        return cls._completed(values, data_name(str(source)), overrides, str(source), {}, environment, options)

    @classmethod
    def _completed(
        cls,
        values: dict[str, Any],
        name: str,
        overrides: Iterable[str],
        where: str,
        places: dict[KeyPath, str],
        environment: bool,
        options: Mapping[str, str] | None,
    ) -> Job:
        tracking = values.setdefault("tracking", {})
        if isinstance(tracking, dict):
            tracking.setdefault("experiment", experiment_name(name))
            if environment and os.environ.get("NAS_STORE"):
                tracking["store"] = os.environ["NAS_STORE"]
        places |= {path: (options or {}).get(dotted(path), "--set") for path in apply_overrides(values, overrides)}
        return cls.from_mapping(values, where=where, places=places)

    @classmethod
    def from_mapping(
        cls, values: Mapping[str, Any], *, where: str = "job", places: Mapping[KeyPath, str] | None = None
    ) -> Job:
        """The job in nested mappings.

        Args:
            values: sections with their keys.
            where: what messages call the source.
            places: what messages call the place of a key, where known better.

        Raises:
            JobError: a key, type or range is wrong, or a setting is stated that would do nothing; every problem (at
                most 8) has its place in the message.
        """
        job, problems = cls._read(values, where, places or {})
        if job is not None:
            unused = unused_settings(job)
            problems = [f"{_place(path, places or {}, where)}: {dotted(path)}: {why}" for path, why in unused]
        if job is None or problems:
            raise _refusal(problems)
        return job

    @classmethod
    def _read(
        cls, values: Mapping[str, Any], where: str, places: Mapping[KeyPath, str]
    ) -> tuple[Job | None, list[str]]:
        """The job, or what is wrong with it."""
        # An empty section (`search:` with nothing below) is None in YAML, and means its defaults.
        values = {key: {} if value is None and key in cls.model_fields else value for key, value in values.items()}
        found: list[dict[str, Any]] = [*_booleans(values, cls)]
        try:
            job = cls.model_validate(values)
        except ValidationError as error:
            job, found = None, [*found, *map(dict, error.errors())]
        said = [_explain(problem, values, where, places) for problem in _by_field(found)]
        return (None if said else job), [*dict.fromkeys(line for text in said for line in text.split("\n"))]

    def measured(self) -> Job:
        """This job, where it compares networks by what is measured only on demand, with the settings for it."""
        named = {*self.search.objectives, *(Bound.parse(text).name for text in self.search.constraints)}
        settings = {each.setting: True for name, each in OBJECTIVES.items() if name in named and each.setting}
        if all(getattr(self.training, setting) for setting in settings):
            return self
        return self.model_copy(update={"training": self.training.model_copy(update=settings)})

    def to_mapping(self, *, complete: bool = False) -> dict[str, Any]:
        """Plain values for JSON and YAML: what the job states, for `from_mapping`.

        Args:
            complete: with the defaults of all that it does not state, for a record that outlives this version of the
                program; `stored_job` reads it.
        """
        return self.model_dump(mode="json", exclude_unset=not complete)


def experiment_name(text: str) -> str:
    """Text as the name of an experiment may be."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:100] or "search"


def data_name(source: str) -> str:
    """What a search of data is called: a file without folders and endings, else the source itself."""
    if ":" in source:
        return source.replace(":", "-")
    name = Path(source).name
    for ending in (".gz", ".bz2", ".xz", ".zip"):
        name = name.removesuffix(ending)
    return name.rpartition(".")[0] or name


def stored_job(stored: Mapping[str, Any], where: str) -> Job:
    """The job that a study keeps, which an earlier version of this program may have written.

    Keys that this version has learnt get their defaults; those that it has no more are left out where they said
    nothing or made no difference.

    Args:
        stored: what `Job.to_mapping` gave, complete.
        where: what messages call the source.

    Raises:
        JobError: it uses something that this version has no more.
    """
    values = {key: dict(value) if isinstance(value, Mapping) else value for key, value in stored.items()}
    for (section, key), why in _RETIRED.items():
        found = values.get(section)
        if isinstance(found, dict) and found.pop(key, None) is not None:
            raise JobError(f"{where}: it uses {section}.{key}, but {why}; continue it with the version that began it")
    search = values.get("search")
    if isinstance(search, dict) and isinstance(search.get("options"), Mapping):
        options = search["options"].items()
        search["options"] = {key: value for key, value in options if key not in _RETIRED_OPTIONS}
        if isinstance(share := search["options"].get("guided"), float):  # once a share of the children
            search["options"]["guided"] = share > 0
    job, problems = Job._read(values, where, {})
    if job is None:
        raise _refusal(problems)
    return job


# --- messages ---------------------------------------------------------------------------------------------------


def _refusal(problems: list[str]) -> JobError:
    more = [f"… and {len(problems) - _MAX_PROBLEMS} more"] if len(problems) > _MAX_PROBLEMS else []
    return JobError("\n".join([*problems[:_MAX_PROBLEMS], *more]))


def _place(path: KeyPath, places: Mapping[KeyPath, str], where: str) -> str:
    return next((places[path[:depth]] for depth in range(len(path), 0, -1) if path[:depth] in places), where)


def _booleans(values: Mapping[str, Any], model: type[BaseModel], path: KeyPath = ()) -> Iterator[dict[str, Any]]:
    """Problems, as pydantic has them, of true and false where numbers are asked for: it would take them for 1 and 0."""
    for name, field in model.model_fields.items():
        value, inner = values.get(name), [*path, name]
        kinds = {field.annotation, *get_args(field.annotation)}
        section = next((each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)), None)
        if name == "options" and model is SearchConfig:
            section = STRATEGY_OPTIONS.get(str(values.get("strategy", SearchConfig().strategy)))
        if isinstance(value, bool) and kinds & {int, float} and bool not in kinds:
            whole = "int" if int in kinds else "float"
            yield {"type": f"{whole}_type", "loc": tuple(inner), "msg": _NUMBER[whole], "input": value}
        elif section is not None and isinstance(value, Mapping):
            yield from _booleans(value, section, tuple(inner))


_NUMBER: Final = {"int": "it must be a whole number", "float": "it must be a number"}


def _by_field(problems: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Problems with the paths of fields, where several kinds of values are allowed one for each field.

    pydantic tells of each kind what is wrong with the value. The one of which most is right is meant: its list or
    mapping has a wrong item; where there is none such, any of them would do.
    """
    found: dict[KeyPath, list[tuple[KeyPath, dict[str, Any]]]] = {}
    for problem in problems:
        path: KeyPath = tuple(problem["loc"])
        depth = _union_depth(path)
        inner = path if depth is None else (*path[:depth], *path[depth + 1 :])
        found.setdefault(path[:depth] if depth is not None else path, []).append((inner, problem))
    said = []
    for field, several in found.items():
        deepest = max(len(path) for path, _ in several)
        meant = [(path, problem) for path, problem in several if len(path) == deepest]
        if deepest > len(field):
            said += [{**problem, "loc": path} for path, problem in meant]
            continue
        words = [plain_words(str(problem["msg"])) for _, problem in meant]
        rest = [each.removeprefix("it must be ") for each in words[1:]]
        said.append({**meant[0][1], "loc": field, "msg": " or ".join([words[0], *rest])})
    return said


def _union_depth(path: KeyPath) -> int | None:
    """Where a path of pydantic's names one of several kinds of values that a field allows; None: nowhere."""
    model: Any = Job
    for depth, part in enumerate(path):
        field = model.model_fields.get(part) if isinstance(part, str) else None
        if field is None:
            return None
        kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)]
        if get_origin(field.annotation) in (Union, UnionType) and len(kinds) > 1:
            return depth + 1 if len(path) > depth + 1 else None
        model = kinds[0] if kinds else field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return None
    return None


def _explain(problem: dict[str, Any], values: Mapping[str, Any], where: str, places: Mapping[KeyPath, str]) -> str:
    path: KeyPath = tuple(problem["loc"])
    place = _place(path, places, where)
    if problem["type"] == "extra_forbidden":
        if path[:-1] == ("search", "options") and path[-1] in _RETIRED_OPTIONS:
            return f"{place}: {dotted(path)} is gone, because it did not pay; delete the line"
        return f"{place}: unknown key {dotted(path)}; {_suggestion(path, values)}"
    message = plain_words(str(problem["msg"]))
    if problem["type"] in ("model_type", "model_attributes_type"):
        message = f"it must be a section with keys: {', '.join(_keys_at(path, values))}".removesuffix(": ")
    if "\n" in message:  # of several items each its own
        return "\n".join(f"{place}: {dotted(path)}: {line}" for line in message.split("\n"))
    given = problem["input"]
    shown = "" if isinstance(given, Mapping | BaseModel) else f" is {_short(given)};"
    return f"{place}: {dotted(path)}{shown or ':'} {message}"


def plain_words(message: str) -> str:
    """What pydantic says of a value, in the words of this package.

    >>> plain_words("Input should be a valid integer, unable to parse string as an integer")
    'it must be a whole number'
    """
    message = message.removeprefix("Value error, ")
    message = re.sub(r"^(Input|Value|String|List|Tuple|Set|Dictionary|Url|Field) should ", "it must ", message)
    for theirs, ours in _PLAIN.items():
        message = re.sub(theirs, ours, message)
    return message


_PLAIN: Final = {
    "^Field required$": "it must be stated",
    "be a valid integer.*": "be a whole number",
    "be a valid number.*": "be a number",
    "be a valid boolean.*": "be true or false",
    "be a valid string.*": "be text (in quotes where it looks like a number)",
    "be a valid (tuple|list|set).*": "be a list: [one, another]",
    "be a valid dictionary.*": "be keys with values: {key: value}",
    " after validation, not [0-9]+": "",
    re.escape("match pattern '" + NAME + "'"): "begin with a letter or digit; up to 100 letters, digits and ._-",
    re.escape("match pattern '" + MODEL_NAME + "'"): "hold 1 to 200 characters, none of them / or :",
    "^it must have at least 1 character$": "it must not be empty",
}


def _short(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _suggestion(path: KeyPath, values: Mapping[str, Any]) -> str:
    key = str(path[-1])
    allowed = _keys_at(path[:-1], values)
    near = difflib.get_close_matches(key.lower(), allowed, n=1, cutoff=0.6)
    if near:
        return f"did you mean {dotted((*path[:-1], near[0]))}?"
    elsewhere = [
        f"{section}.{key}"
        for section, field in Job.model_fields.items()
        if isinstance(field.annotation, type)
        and issubclass(field.annotation, BaseModel)
        and key in field.annotation.model_fields
    ]
    if elsewhere:
        return f"did you mean {' or '.join(elsewhere)}?"
    return f"allowed here: {', '.join(allowed)}" if allowed else "nothing is allowed here"


def _keys_at(path: KeyPath, values: Mapping[str, Any]) -> list[str]:
    """The keys that are valid in the section at ``path``."""
    if path == ("search", "options"):
        strategy = values["search"].get("strategy", SearchConfig().strategy)
        options = STRATEGY_OPTIONS.get(strategy) if isinstance(strategy, str) else None
        return list(options.model_fields) if options is not None else []
    model: Any = Job
    for part in path:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        kinds = () if field is None else get_args(field.annotation)
        model = next((kind for kind in kinds if kind is not type(None)), field.annotation if field else None)
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return list(model.model_fields)


# --- schema -----------------------------------------------------------------------------------------------------


def job_schema(space_options: Mapping[str, type[BaseModel]] | None = None) -> dict[str, Any]:
    """JSON Schema of a job file, with which editors complete and check it.

    Args:
        space_options: model of ``space.options`` for each named space, where known.
    """
    schema = Job.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    definitions = schema["$defs"]
    _options_by(definitions, "SearchConfig", "strategy", STRATEGY_OPTIONS, SearchConfig().strategy)
    _options_by(definitions, "SpaceConfig", "name", space_options or {}, SpaceConfig().name)
    schema["allOf"] = [rule for name in SPACES for rule in space_rules(name, SpaceConfig().name)]
    return schema


def _options_by(
    definitions: dict[str, Any], section: str, key: str, models: Mapping[str, type[BaseModel]], default: str
) -> None:
    """Makes the schema of ``options`` depend on the value of ``key`` (absent: ``default``)."""
    rules = []
    for value, model in models.items():
        options = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(options.pop("$defs", {}))
        condition: dict[str, Any] = {"properties": {key: {"const": value}}}
        if value != default:
            condition["required"] = [key]
        rules.append({"if": condition, "then": {"properties": {"options": options}}})
    if rules:
        definitions[section]["allOf"] = rules

"""The `space`, `search` and `resources` sections of a job file.

They live beside the code that reads them, because nothing in `nas` may import `nas.job`; `nas.job` puts them together.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from nas._text import check_each
from nas.search.front.constraints import Bound
from nas.training.quality.judged import check_scorer
from nas.training.quality.objectives import OBJECTIVES

__all__ = [
    "SPACES",
    "STRATEGY_OPTIONS",
    "UNLIMITED",
    "EvolutionOptions",
    "HalvingConfig",
    "OptunaOptions",
    "RandomOptions",
    "ResourcesConfig",
    "SearchConfig",
    "SpaceConfig",
    "StrategyOptions",
]

UNLIMITED: Final = 10**6  # trials of a search that a budget of time or steps ends
SPACES: Final = ("neuron_dag", "manifold", "families", "layer_dag", "recurrent")  # that come along
LARGEST_GROUP: Final = 64  # automatic; a GPU has room for more


class SpaceConfig(BaseModel):
    """Which candidates exist: the search space and its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        "neuron_dag",
        min_length=1,
        description='"neuron_dag", "manifold", "families", "layer_dag", "recurrent", or "module:Class".',
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Settings of the space, e.g. n_computational and density; the space itself validates them.",
    )

    @field_validator("name")
    @classmethod
    def _importable(cls, name: str) -> str:
        if ":" not in name and not name.isidentifier():
            raise ValueError('expected the name of a built-in space or "module:Class"')
        return name


class StrategyOptions(BaseModel):
    """Base of the typed options of the built-in strategies."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EvolutionOptions(StrategyOptions):
    """Options of `strategy: evolution` (steady state, multi-objective)."""

    roots: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Share of the later candidates that are trained from nothing, not from a parent; twice as many "
        "early, none at the end.",
    )
    grow: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Share of the children that gain edges or neurons before they are cut; 0: all are cut only.",
    )
    blind: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Share of these to which edges and neurons come anywhere; to the others edges of largest gradient.",
    )
    guided: bool = Field(
        True, description="Training chooses which edges stay, for sizes that the front needs; else children mutate."
    )
    population: int = Field(16, ge=2, description="Individuals kept as possible parents, where children mutate.")
    initial: int | None = Field(
        None,
        ge=1,
        description="Candidates from nothing before the first child (default: 11, where children mutate population).",
    )
    tournament: int = Field(3, ge=1, description="Individuals compared to choose a parent, where children mutate.")
    strength: tuple[float, float] = Field(
        (0.01, 0.3),
        description="Least and largest share of a genome that a mutation changes, where children mutate; log-uniform.",
    )
    child_steps: float = Field(1.0, gt=0, le=1, description="Factor of the training steps of children.")
    inherit: bool = Field(True, description="Children start from their parent's trained weights.")
    means: float = Field(
        0.04,
        ge=0,
        le=1,
        description="Share of the budget, at its end, in which networks are tried whose outputs are the mean of those "
        "of several, side by side.",
    )

    @field_validator("strength")
    @classmethod
    def _ordered_shares(cls, shares: tuple[float, float]) -> tuple[float, float]:
        low, high = shares
        if not 0 < low <= high <= 1:
            raise ValueError(f"0 < least <= largest <= 1 must hold, but got {low}, {high}")
        return shares


class OptunaOptions(StrategyOptions):
    """Options of `strategy: optuna` (hyperparameters, size, parent and growth chosen by a sampler)."""

    sampler: Literal["tpe", "nsga2", "nsga3", "gp", "random", "qmc"] = Field(
        "tpe", description="Optuna sampler (those that can handle several objectives)."
    )
    startup_trials: int = Field(10, ge=1, description="Random trials before the sampler's model is used.")
    roots: float = Field(
        0.15, ge=0, le=1, description="Share of the later candidates that are trained from nothing, not from a parent."
    )
    guided: bool = Field(
        True, description="Training chooses which edges stay, for sizes that the front needs; else children mutate."
    )
    population: int = Field(16, ge=2, description="Population of nsga2/nsga3; individuals kept as possible parents.")
    initial: int | None = Field(
        None,
        ge=1,
        description="Candidates from nothing before the first child (default: 11, where children mutate population).",
    )
    child_steps: float = Field(1.0, gt=0, le=1, description="Factor of the training steps of children.")
    inherit: bool = Field(True, description="Children start from their parent's trained weights.")


class RandomOptions(StrategyOptions):
    """Options of `strategy: random`: there are none."""


STRATEGY_OPTIONS: Final[dict[str, type[StrategyOptions]]] = {
    "evolution": EvolutionOptions,
    "optuna": OptunaOptions,
    "random": RandomOptions,
}


class HalvingConfig(BaseModel):
    """Which trials go on at a rung (`training.rungs`); see `nas.search.strategies.halving`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep: float = Field(0.5, gt=0, lt=1, description="Share of the trials at a rung that go on.")
    rule: Literal["rank", "first"] = Field(
        "rank", description="Compare by all objectives (non-domination rank, hypervolume), or by the first alone."
    )
    startup: int = Field(8, ge=1, description="So many trials pass a rung before any is stopped there.")
    window: int = Field(100, ge=2, description="A trial is compared with the last so many at its rung.")
    pruner: Literal["median", "percentile", "successive_halving", "hyperband"] | None = Field(
        None, description="One of Optuna's pruners decides instead; only with one objective."
    )


class SearchConfig(BaseModel):
    """How candidates are chosen, what counts as good, and when to stop."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: str = Field(
        "evolution",
        min_length=1,
        description='"evolution", "optuna", "random", or "module:Class" for a strategy of your own.',
    )
    trials: int = Field(
        50,
        ge=1,
        description="Trials of the whole study, resumed ones included (default: 50, or until the budget ends).",
    )
    objectives: tuple[str, ...] = Field(
        ("error", "inference_time"),
        min_length=1,
        description="What to minimise; all are 'smaller is better'. In place of error may stand one of scikit-learn's "
        "scorers (balanced_accuracy, f1, roc_auc, neg_log_loss, neg_mean_absolute_error, …) or module:function, which "
        "is then kept as scorer.",
    )
    scorer: str | None = Field(
        None,
        description="What the error is: error (wrong classes, or squared errors), one of scikit-learn's scorers, or "
        "module:function (targets, probabilities or predictions; smaller is better). Default: error, but "
        "balanced_accuracy where classes are very unequal and objectives are not stated.",
    )
    constraints: tuple[str, ...] = Field(
        (),
        description='Bounds that members of the front keep, e.g. ["flash<=2000", "accuracy>=0.9"]: upper or lower ones '
        "of edges, neurons, depth, inference_time, latency, flash, ram, cycles, error, accuracy or any other metric.",
    )
    budget_minutes: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Stop starting trials after this much wall time."
    )
    budget_steps: int | None = Field(None, ge=1, description="Stop starting trials after so many training steps.")
    stop: Literal["budget", "converged"] = Field(
        "budget", description="End with the budget, or before it where the front has as good as stopped growing."
    )
    least_gain: float = Field(
        0.003,
        gt=0,
        lt=1,
        description="With stop: converged, end when the next trials, a third of those done, are expected to let the "
        "hypervolume grow by a smaller share than this.",
    )
    halving: HalvingConfig = Field(default_factory=HalvingConfig, description="Who goes on at training.rungs.")
    baselines: bool = Field(
        True,
        description="Also train a linear model, a dense MLP and gradient boosting, once a study, and show them beside "
        "the front. They take a tenth of budget_minutes at most, about 20 s where there is no budget.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Decides every random choice of the search.")
    group: int | None = Field(
        None,
        ge=1,
        description="Candidates that a worker trains in one call (default: 1 on a processor with one thread, two for "
        "each of several threads, up to 64 on a GPU).",
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of the strategy, e.g. population (evolution) or sampler (optuna).",
    )

    @model_validator(mode="before")
    @classmethod
    def _until_the_budget_ends(cls, values: Any) -> Any:
        budgets = ("budget_minutes", "budget_steps")
        if isinstance(values, dict) and "trials" not in values and any(values.get(key) is not None for key in budgets):
            return {**values, "trials": UNLIMITED}
        return values

    @model_validator(mode="before")
    @classmethod
    def _scorer_among_objectives(cls, values: Any) -> Any:
        """What is named in place of the error becomes `scorer`."""
        stated = values.get("objectives") if isinstance(values, dict) else None
        if not isinstance(stated, list | tuple) or not all(isinstance(name, str) for name in stated):
            return values
        own = [name for name in stated if name not in OBJECTIVES]
        check_each(check_scorer, own)
        if len(own) > 1 or (own and ("error" in stated or values.get("scorer") not in (None, *own))):
            quality = [*own, *(["error"] if "error" in stated else [])]
            quality += [values["scorer"]] if values.get("scorer") not in (None, *own) else []
            raise ValueError(
                f"{' and '.join(quality)} both say how good a network is; name one, and any costs "
                f"({', '.join(name for name in OBJECTIVES if name != 'error')}) beside it"
            )
        names = ["error" if name in own else name for name in stated]
        if "error" not in names:
            return values
        unstated = values.get("scorer") if "scorer" in values else "error"  # a complete record says that it was not
        return {**values, "objectives": names, "scorer": own[0] if own else unstated}

    @field_validator("scorer")
    @classmethod
    def _known_scorer(cls, scorer: str | None) -> str | None:
        if scorer in ("accuracy", None):
            return None if scorer is None else "error"
        if scorer != "error":
            check_scorer(str(scorer))
        return scorer

    @model_validator(mode="after")
    def _scorer_acts(self) -> SearchConfig:
        if self.scorer is not None and "error" not in self.objectives:
            raise ValueError(
                f"scorer says what the error is, but the objectives are {', '.join(self.objectives)}; name "
                f"{self.scorer} among them, or leave it out"
            )
        return self

    @field_validator("objectives")
    @classmethod
    def _distinct(cls, objectives: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(objectives)) != len(objectives):
            raise ValueError(f"each objective may be named once, got {list(objectives)}")
        return objectives

    @field_validator("constraints")
    @classmethod
    def _bounds(cls, constraints: tuple[str, ...]) -> tuple[str, ...]:
        check_each(Bound.parse, constraints)
        return constraints

    @field_validator("strategy")
    @classmethod
    def _known(cls, strategy: str) -> str:
        if ":" not in strategy and strategy not in STRATEGY_OPTIONS:
            raise ValueError(f'expected one of {", ".join(STRATEGY_OPTIONS)}, or "module:Class"')
        return strategy

    @field_validator("options")
    @classmethod
    def _valid_options(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        model = STRATEGY_OPTIONS.get(info.data.get("strategy", ""))
        if model is not None:
            model.model_validate(options)
        return options

    @field_validator("halving")
    @classmethod
    def _pruner_knows(cls, halving: HalvingConfig, info: ValidationInfo) -> HalvingConfig:
        if halving.pruner is not None and len(info.data.get("objectives", ())) > 1:
            raise ValueError(
                f"Optuna's pruners compare one objective, but there are {len(info.data['objectives'])}; leave pruner "
                'out and use rule: "rank" or "first"'
            )
        return halving

    @property
    def stop_below(self) -> float | None:
        """Share of expected growth below which the search ends; None where only the budget ends it."""
        return self.least_gain if self.stop == "converged" else None

    def group_size(self, resources: ResourcesConfig) -> int:
        """Candidates of a group: as stated, else as suits the worker, but no more than a tenth of the trials.

        A strategy learns from a candidate only when its group is done, so large groups cost it knowledge.
        """
        if self.group is not None:
            return self.group
        suits = LARGEST_GROUP if resources.on_gpu else 1 if resources.threads == 1 else 2 * resources.threads
        return max(1, min(suits, self.trials // 10))

    def typed_options(self) -> StrategyOptions:
        """The options of a built-in strategy as its own class, defaults filled in.

        Raises:
            KeyError: the strategy is an import path, whose options only its class knows.
            pydantic.ValidationError: an option is unknown or out of range.
        """
        return STRATEGY_OPTIONS[self.strategy].model_validate(self.options)


class ResourcesConfig(BaseModel):
    """Where candidates are trained and with how much of the machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    executor: Literal["ray", "serial"] = Field("ray", description="Ray workers, or everything in this process.")
    workers: int | None = Field(
        None,
        ge=1,
        description="Workers (default: physical cores // threads; on a cluster as many as its nodes have room for).",
    )
    threads: int = Field(1, ge=1, description="CPU threads of a worker; its process times are taken with these.")
    gpus: float = Field(0.0, ge=0, description="GPUs of a worker, fractions allowed.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where trials are trained and timed; auto: on GPUs where `gpus` is above 0."
    )
    address: str | None = Field(
        None, description="Address of a Ray cluster (default: $RAY_ADDRESS, else start Ray on this machine)."
    )
    trial_minutes: float | None = Field(
        120.0,
        gt=0,
        description="A trial that takes longer fails, e.g. because its worker hangs; also one that takes 20 times the "
        "usual of its size, and five minutes, once that is known; null: no limit.",
    )

    @property
    def on_gpu(self) -> bool:
        """Whether trials are trained and timed on GPUs."""
        return self.device == "cuda" or (self.device == "auto" and self.gpus > 0)

    @property
    def gpus_of_worker(self) -> float:
        """GPUs that a worker holds; a whole one where trials are to be trained on GPUs and no number is stated."""
        return self.gpus if self.gpus > 0 or not self.on_gpu else 1.0

    def worker_count(self) -> int:
        """Workers to start: as stated, else physical cores // threads, at least 1."""
        if self.workers is not None:
            return self.workers
        if self.on_gpu:
            return max(1, int(1 / self.gpus_of_worker))  # that share one GPU
        cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
        return max(1, cores // self.threads)

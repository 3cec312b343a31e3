"""The structural loss terms of `nas.manifold.TERMS` as the trainers have them: factors, numba code, CUDA text.

Terms are linear in what they measure, so a trainer knows no terms: it has a factor for each measure, and a constant.
The code below is written from the formulas when a kernel is compiled. A kernel must be compiled again for other
formulas, also where it comes from numba's cache, so the formulas are part of a type: see `terms_type`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numba.extending import overload

from nas.engine.formulas import CUDA, KERNEL, NUMBER, Expression, fma, kernel_function, slope_of, variable, x
from nas.graph import DAG
from nas.manifold import EDGES, FLOW, LARGEST_SHARE, TERMS, CostModel, LossTerms, Measure, measures_of
from nas.training.cost.costs import costs_for
from nas.training.types import TrainingConfig

__all__ = [
    "TERMS", "JobNetwork", "StructureCosts", "add_totals", "count_edges", "counts_neurons", "cuda_terms", "loss_of",
    "no_prices", "of_shares", "partial_totals", "pulls_of", "row_prices", "row_total", "share_slope", "start_sums",
    "start_totals", "strength_slope", "structure_costs", "terms_type", "timed_costs",
]  # fmt: skip


# --- factors ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StructureCosts:
    """How much the structure of a network costs: constant + the sum over measures of factor times value.

    Attributes:
        factors: of each measure that has one.
        constant: what terms add whatever the structure.
        recorded: by name of a term that curves show, the coefficients of its measures, and its constant.
    """

    factors: Mapping[Measure, float]
    constant: float = 0.0
    recorded: Mapping[str, tuple[Mapping[Measure, float], float]] = field(default_factory=dict)

    def curves(self, values: Mapping[Measure, float]) -> dict[str, float]:
        """The terms that are recorded, without their factors, of the values of measures."""
        return {
            name: constant + sum(coefficient * values[measure] for measure, coefficient in coefficients.items())
            for name, (coefficients, constant) in self.recorded.items()
        }

    def needed(self) -> tuple[Measure, ...]:
        """The measures that the loss and the curves are made of."""
        used = [measure for measure, factor in self.factors.items() if factor]
        recorded = [measure for coefficients, _ in self.recorded.values() for measure in coefficients]
        return tuple(dict.fromkeys([*used, *recorded, *(m for m in (FLOW, EDGES) if m in measures_of())]))

    def measured(self, terms: LossTerms) -> dict[Measure, float]:
        """The values of `needed`, of a network."""
        return {measure: float(terms.value(measure).detach()) for measure in self.needed()}


@dataclass(frozen=True)
class JobNetwork:
    """See `nas.manifold.Priced`; the calibration is looked up only where a term asks."""

    config: TrainingConfig
    dag: DAG
    given: tuple[CostModel | None, CostModel | None]

    @property
    def n_edges(self) -> int:
        return self.dag.n_edges

    @cached_property
    def time(self) -> CostModel:
        return self.given[0] or costs_for(self.config).time(self.dag)

    @cached_property
    def memory(self) -> CostModel:
        return self.given[1] or costs_for(self.config).memory(self.dag)


def structure_costs(
    config: TrainingConfig, dag: DAG, time_cost: CostModel | None = None, memory_cost: CostModel | None = None
) -> StructureCosts:
    """The loss terms of a job as factors of what is measured of a network.

    Args:
        time_cost: seconds a step, memory_cost: bytes of the trainer; None: what the calibration of this machine says
            for this job on the threads torch has now (see `nas.training.cost.costs`).
    """
    network = JobNetwork(config, dag, (time_cost, memory_cost))
    factors = dict.fromkeys(measures_of(), 0.0)
    constant, recorded = 0.0, {}
    for name, term in TERMS.items():
        k = float(getattr(config.losses, name))
        if not k and not term.factor:
            continue
        coefficients = (*term.coefficients(network), 0.0)[: len(term.measures) + 1]
        for measure, coefficient in zip(term.measures, coefficients, strict=False):
            factors[measure] += k * coefficient
        constant += k * coefficients[-1]
        recorded[name] = dict(zip(term.measures, coefficients, strict=False)), coefficients[-1]
    return StructureCosts(factors, constant, recorded)


def timed_costs(config: TrainingConfig, dag: DAG) -> StructureCosts:
    """What steps that are only timed have: without measures of shares, which hardly change what a step costs."""
    nothing = CostModel(0.0, 0.0, 0.0)
    factors = structure_costs(config, dag, nothing, nothing).factors
    return StructureCosts({measure: k for measure, k in factors.items() if not measure.of_share})


# --- numba ------------------------------------------------------------------------------------------------------------


_measures: dict[str, Measure] = {}  # by what fields of such types are called


@lru_cache(maxsize=16)  # numba knows an object that it has seen; of a new one it finds the type anew
def terms_type(measures: tuple[Measure, ...]) -> np.dtype[np.void]:
    """A value for kernels that is looked at for its type alone: it has a field for each measure, called as its formula.

    Of all values whose types could say so much, numba recognises this one fastest: one of a class of our own costs as
    much as a step of a small network.
    """
    _measures.update((str(measure), measure) for measure in measures)
    return np.dtype([(str(measure), np.float64) for measure in measures])


def _written(write: Callable[..., list[str]]) -> Any:
    """A function for kernels, of (terms, …): ``write`` gives the lines of its body, of the measures."""
    names = [*inspect.signature(write).parameters]

    def stub(*_: Any) -> Any:
        raise NotImplementedError("only inside numba kernels")

    def lines_of(terms: Any, *_: Any) -> Any:
        head = f"def {write.__name__}({', '.join(['terms', *names[1:]])}):"
        body = write(tuple(_measures[field] for field in terms.dtype.fields), *names[1:])
        return kernel_function([head, *(f"    {line}" for line in body)], f"loss terms: {write.__name__}")

    given = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("terms", *names[1:])]
    stub.__signature__ = lines_of.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    stub.__name__, stub.__doc__ = write.__name__, write.__doc__
    overload(stub)(lines_of)
    return stub


def _tuple(parts: Iterable[str]) -> str:
    return f"({''.join(f'{part}, ' for part in parts)})"


def _each(measures: tuple[Measure, ...]) -> Iterator[tuple[int, Measure, bool]]:
    for place, measure in enumerate(measures):
        yield place, measure, measure.over == "edges"


@_written
def start_totals(measures: tuple[Measure, ...]) -> list[str]:
    """(Q,) zeros: the totals of the measures."""
    return [f"return {_tuple('0.0' for _ in measures)}"]


@_written
def add_totals(measures: tuple[Measure, ...], totals: str, more: str) -> list[str]:
    """(Q,) sums; of two tuples."""
    return [f"return {_tuple(f'totals[{q}] + more[{q}]' for q in range(len(measures)))}"]


@_written
def partial_totals(measures: tuple[Measure, ...], partial: str, rank: str, first: str) -> list[str]:
    """(Q,) of the columns of ``partial`` from ``first``."""
    return [f"return {_tuple(f'partial[rank, first + {q}]' for q in range(len(measures)))}"]


@_written
def start_sums(measures: tuple[Measure, ...], zero: str) -> list[str]:
    """(Q,) vectors: sums over a row's edges so far, or products of what is absent."""
    return [f"return {_tuple('zero' if summed else 'like(zero, 1.0)' for _, _, summed in _each(measures))}"]


@_written
def count_edges(
    measures: tuple[Measure, ...], factors: str, sums: str, strength: str, direction: str, share: str
) -> list[str]:
    """``sums`` with a vector of edges; where there is none, strength and share are 0."""
    lines = ["h = strength"]
    for q, measure, summed in _each(measures):
        lines.append(f"s{q} = sums[{q}]")
        if not summed:
            lines += [f"if factors[{q}] != 0:", f"    s{q} = mul(s{q}, sub(like(h, 1.0), {_clamped(measure)}))"]
        elif measure.regular:
            lines.append(f"s{q} = {KERNEL.text(_added(measure.edge, variable(f's{q}')))}")
        else:  # a dead edge counts as 0, whatever the formula says; NaN stays NaN
            lines.append(f"s{q} = add(s{q}, where_positive(strength, {KERNEL.text(measure.edge)}, strength))")
    return [*lines, f"return {_tuple(f's{q}' for q in range(len(measures)))}"]


def _added(formula: Expression, to: Expression) -> Expression:
    if formula.operator == "*":
        one, other = formula.parts
        return fma(one, other, to)
    return to + formula


def _clamped(measure: Measure) -> str:
    return f"minimum({KERNEL.text(measure.edge)}, like(h, {LARGEST_SHARE!r}))"


@_written
def row_total(measures: tuple[Measure, ...], factors: str, sums: str) -> list[str]:
    """(Q,) numbers: what a row adds to the totals."""
    lines = []
    for q, _, summed in _each(measures):
        lines.append(f"t{q} = 0.0")
        if summed:
            lines.append(f"t{q} += total(sums[{q}])")
        else:
            lines += [f"if factors[{q}] != 0:", f"    t{q} += 1.0 - product(sums[{q}])"]
    return [*lines, f"return {_tuple(f't{q}' for q in range(len(measures)))}"]


@_written
def loss_of(measures: tuple[Measure, ...], factors: str, totals: str) -> list[str]:
    """What all measures add to the loss, by their totals."""
    return [f"return {' + '.join(_by_total(q, each.value) for q, each, _ in _each(measures))}"]


@_written
def pulls_of(measures: tuple[Measure, ...], factors: str, totals: str) -> list[str]:
    """(Q,) numbers: the slope of the loss by each total."""
    return [f"return {_tuple(_by_total(q, slope_of(each.value)) for q, each, _ in _each(measures))}"]


def _by_total(q: int, formula: Expression) -> str:
    return f"factors[{q}] * {NUMBER.text(formula, {x: f'totals[{q}]'})}"


@_written
def no_prices(measures: tuple[Measure, ...]) -> list[str]:
    """(Q,) zeros; see `row_prices`."""
    return [f"return {_tuple('0.0' for _ in measures)}"]


@_written
def row_prices(measures: tuple[Measure, ...], pulls: str, absent: str, row: str) -> list[str]:
    """(Q,) numbers: the slope of the loss by the logarithm of what is absent of a row, downwards."""
    prices = ("0.0" if summed else f"pulls[{q}] * absent[{q}, row]" for q, _, summed in _each(measures))
    return [f"return {_tuple(prices)}"]


@_written
def strength_slope(measures: tuple[Measure, ...], pulls: str, strength: str, direction: str) -> list[str]:
    """The slope of the loss by the strength of edges."""
    lines, parts = ["h = strength"], []
    for q, measure, _ in _each(measures):
        if not measure.of_share:
            text = KERNEL.text(measure.slope)
            if not measure.regular:
                text = f"where_positive(strength, {text}, like(h, 0.0))"
            parts.append(f"mul(like(h, pulls[{q}]), {text})")
    return [*lines, f"return {_sum(parts)}"]


@_written
def share_slope(measures: tuple[Measure, ...], pulls: str, prices: str, share: str, direction: str) -> list[str]:
    """The slope of the loss by the shares of edges."""
    lines, parts = ["h = share"], []
    for q, measure, summed in _each(measures):
        if measure.of_share and summed:
            parts.append(f"mul(like(h, pulls[{q}]), {KERNEL.text(measure.slope)})")
    lines.append(f"found = {_sum(parts)}")
    for q, measure, summed in _each(measures):
        if not summed:
            room, edge = f"sub(like(h, 1.0), {_clamped(measure)})", KERNEL.text(measure.edge)
            slope = f"mul(div(like(h, prices[{q}]), {room}), {KERNEL.text(measure.slope)})"
            more = f"where_positive(sub(like(h, {LARGEST_SHARE!r}), {edge}), {slope}, like(h, 0.0))"
            lines += [f"if prices[{q}] != 0:", f"    found = add(found, {more})"]
    return [*lines, "return found"]


def _sum(parts: list[str]) -> str:
    text = parts[0] if parts else "like(h, 0.0)"
    for part in parts[1:]:
        text = f"add({text}, {part})"
    return text


@_written
def of_shares(measures: tuple[Measure, ...], factors: str) -> list[str]:
    """Whether any measure of shares has a factor."""
    return [f"return {_any(q for q, each, _ in _each(measures) if each.of_share)}"]


@_written
def counts_neurons(measures: tuple[Measure, ...], factors: str) -> list[str]:
    """Whether any measure over neurons has a factor."""
    return [f"return {_any(q for q, _, summed in _each(measures) if not summed)}"]


def _any(places: Iterable[int]) -> str:
    return " or ".join(f"factors[{q}] != 0" for q in places) or "False"


# --- CUDA -------------------------------------------------------------------------------------------------------------


def cuda_terms(measures: tuple[Measure, ...]) -> str:
    """The same in CUDA C++, an edge a lane, for a file that has ``Candidate`` with ``factor_0``, ….

    ``sums`` are a lane's, ``totals`` and ``pulls`` the network's, each (MEASURES,).
    """
    places = {measure: k for k, measure in enumerate(m for m in measures if m.over == "neurons")}
    begin, count, row, loss, pull, price, by_strength, by_share, clamped = (list[str]() for _ in range(9))
    for q, measure, summed in _each(measures):
        edge, slope = CUDA.text(measure.edge), CUDA.text(measure.slope)
        begin.append(f"sums[{q}] = {0 if summed else 1};")
        loss.append(f"c.factor_{q} * {CUDA.text(measure.value, {x: f'totals[{q}]'})}")
        pull.append(f"pulls[{q}] = c.factor_{q} * {CUDA.text(slope_of(measure.value), {x: f'totals[{q}]'})};")
        if summed:
            price.append(f"prices[{q}] = 0;")
            row.append(f"totals[{q}] += warp_sum(sums[{q}]);")
            if not measure.regular:
                edge, slope = f"(strength > 0 ? {edge} : strength)", f"(strength > 0 ? {slope} : real(0))"
                count.append(f"sums[{q}] += {edge};")
            else:
                count.append(f"sums[{q}] = {CUDA.text(_added(measure.edge, variable(f'sums[{q}]')))};")
            (by_share if measure.of_share else by_strength).append(f"pulls[{q}] * {slope}")
        else:
            at = f"c.row_absent[{places[measure]} * c.m + i]"
            count.append(f"if (c.factor_{q} != 0) sums[{q}] *= real(1) - fmin({edge}, LARGEST_SHARE);")
            row.append(
                f"if (c.factor_{q} != 0) {{ const real absent = warp_product(sums[{q}]); "
                f"totals[{q}] += real(1) - absent; if (lane_number() == 0) {at} = absent; }}"
            )
            price.append(f"prices[{q}] = c.factor_{q} != 0 ? pulls[{q}] * {at} : real(0);")
            clamped.append(
                f"if (prices[{q}] != 0 && {edge} < LARGEST_SHARE) found += prices[{q}] / (real(1) - {edge}) * {slope};"
            )

    def any_factor(chosen: Callable[[Measure], bool]) -> str:
        return " || ".join(f"c.factor_{q} != 0" for q, each in enumerate(measures) if chosen(each)) or "false"

    text = [f"#define MEASURES {len(measures)}", f"#define LARGEST_SHARE real({LARGEST_SHARE!r})"]

    def function(head: str, *body: str) -> None:
        text.extend([f"DEVICE {head} {{", *(f"    {line}" for line in body), "}"])

    function("void start_sums(real* sums)", *begin)
    edge_of = "const Candidate& c, real strength, real direction, real share"
    function(f"void count_edge({edge_of}, real* sums)", *count)
    function("void count_row(const Candidate& c, int i, const real* sums, double* totals)", *row)
    function("double loss_of(const Candidate& c, const double* totals)", f"return {' + '.join(loss)};")
    function("void pulls_of(const Candidate& c, const double* totals, real* pulls)", *pull)
    function("void row_prices(const Candidate& c, int i, const real* pulls, real* prices)", *price)
    function(
        "real strength_slope(const real* pulls, real strength, real direction)",
        f"return {' + '.join(by_strength) or 'real(0)'};",
    )
    function(
        "real share_slope(const real* pulls, const real* prices, real share, real direction)",
        f"real found = {' + '.join(by_share) or 'real(0)'};", *clamped, "return found;",
    )  # fmt: skip
    function("bool of_shares(const Candidate& c)", f"return {any_factor(lambda each: each.of_share)};")
    function("bool of_strength(const Candidate& c)", f"return {any_factor(lambda each: not each.of_share)};")
    return "\n".join([*text, ""])

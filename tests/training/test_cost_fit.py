"""The fit finds the costs that measurements were made from, whatever their size."""

import numpy as np
import pytest

from nas.graph import DAG, random_dag
from nas.training.cost._fit import CostFit, fit_costs
from nas.training.cost.work import Work, memory_work, work_of

TRUE = CostFit(
    call=5e-6, sample=5e-9, neuron=3e-8, neuron_sample=1.5e-10, input_sample=1e-10, edge=4e-9, edge_sample=5e-11,
    activations={"silu": 2e-10}, points=1, r2=1.0, median_residual=0.0, worst_residual=0.0,
)  # fmt: skip


def works() -> list[Work]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(12):
        neurons, inputs, edges = (
            int(k) for k in np.exp(rng.uniform(np.log((10, 10, 300)), np.log((900, 784, 50_000))))
        )
        found += [Work(batch, neurons, inputs, edges, (("leaky_relu", neurons - 5),)) for batch in (32, 128, 512)]
    return [*found, Work(found[0].batch, *_sizes(found[0]), (("silu", found[0].neurons - 5),))]


def _sizes(work: Work) -> tuple[int, int, int]:
    return work.neurons, work.inputs, work.edges


def test_exact_measurements_give_the_costs_they_were_made_from() -> None:
    found = fit_costs(works(), [TRUE.predict(work) for work in works()])
    for name in ("call", "sample", "neuron", "neuron_sample", "input_sample", "edge", "edge_sample"):
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), rel=1e-3), name
    assert found.activations["silu"] == pytest.approx(2e-10, rel=1e-3)
    assert found.r2 == pytest.approx(1.0)
    assert found.worst_residual < 1e-6


def test_noise_shows_in_the_residuals_and_hardly_in_the_costs() -> None:
    rng = np.random.default_rng(1)
    found = fit_costs(works(), [TRUE.predict(work) * rng.normal(1.0, 0.05) for work in works()])
    assert 0.01 < found.median_residual < 0.08
    assert 0.9 < found.r2 < 1
    assert found.edge_sample == pytest.approx(TRUE.edge_sample, rel=0.15)
    assert found.edge == pytest.approx(TRUE.edge, rel=0.3)


def test_no_cost_is_negative_even_where_a_line_would_be() -> None:
    seconds = [1e-6 * work.edges**1.3 for work in works()]  # a plain least-squares line would start below 0
    found = fit_costs(works(), seconds)
    assert all(value >= 0 for name, value in found.model_dump().items() if name not in ("r2", "activations"))


def test_the_three_numbers_of_a_job_are_the_prediction() -> None:
    work = Work(128, 210, 784, 5000, (("silu", 200),))
    model = TRUE.model(128, 784, "leaky_relu")
    assert model.predict(210, 5000) + 128 * 200 * 2e-10 == pytest.approx(TRUE.predict(work))
    assert TRUE.model(128, 784, "silu").per_neuron == pytest.approx(model.per_neuron + 128 * 2e-10)


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="7 networks with leaky_relu or more, got 3"):
        fit_costs(works()[:3], [1e-5] * 3)
    with pytest.raises(ValueError, match="positive number, but the least is 0"):
        fit_costs(works(), [0.0] * len(works()))
    alone = Work(64, 9, 9, 9, (("gelu", 4),))
    with pytest.raises(ValueError, match="gelu was measured on a network that was not with leaky_relu"):
        fit_costs([*works(), alone], [TRUE.predict(work) for work in [*works(), alone]])


def test_idle_neurons_and_unread_inputs_do_no_work() -> None:
    #      0 1 inputs, 2 3 4 computational (3 reads nothing), 5 output
    dag = DAG(2, 3, 1, [(0, 2), (2, 4), (3, 4), (4, 5)])
    assert work_of(dag, 64, "tanh") == Work(64, neurons=3, inputs=1, edges=4, activated=(("tanh", 2),))


def test_neurons_with_activations_of_their_own_are_counted_apart() -> None:
    dag = DAG(2, 3, 1, [(0, 2), (1, 3), (2, 4), (3, 4), (4, 5)], activations=["", "", "sin", "", "sin", ""])
    assert work_of(dag, 64, "tanh").activated == (("sin", 2), ("tanh", 1))


def test_memory_counts_the_samples_that_are_held_and_not_the_batch() -> None:
    dag = random_dag(20, 30, 5, density=0.2, rng=np.random.default_rng(0))
    small, large = (memory_work(dag, batch, "relu", 1) for batch in (4096, 8192))
    assert small == large
    assert small.batch <= 64
    assert memory_work(dag, 4096, "relu", 2).batch > small.batch

"""ManifoldNetwork: every parametrisation computes what it says, survives storage, pruning and folding."""

import numpy as np
import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st

from nas.engine import reference_apply
from nas.errors import UnreachableOutputError
from nas.graph import DAG, random_dag
from nas.manifold import ManifoldNetwork, parametrisation_of

PARAMETRISATIONS = ["masked", "manifold", "free"]


def network(dag: DAG, parametrisation: str = "masked", seed: int = 0, **options: object) -> ManifoldNetwork:
    return ManifoldNetwork(
        dag,
        parametrisation=parametrisation,  # type: ignore[arg-type]
        period=4,
        generator=np.random.default_rng(seed),
        **options,  # type: ignore[arg-type]
    )


def example(seed: int = 0, sizes: tuple[int, int, int] = (6, 20, 3), density: float = 0.5) -> DAG:
    return random_dag(*sizes, density=density, rng=np.random.default_rng(seed))


def scramble(net: ManifoldNetwork, seed: int) -> ManifoldNetwork:
    """Random parameters, so that many edges are dead and signs are mixed."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += torch.from_numpy(rng.normal(0, 0.5, parameter.shape)).float()
        if net.closeness is not None:
            masked = net.weight is not None  # the published start of the others is sparse as it is
            net.closeness.cutoff.fill_(rng.uniform(-2, 0) if masked else rng.uniform(-6, -3))
            net.closeness.sigma.mul_(0.3 if masked else 1.0)
    return net


def inputs(seed: int = 0, width: int = 6) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(9, width)).astype(np.float32))


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
def test_computes_the_reference_with_its_own_edge_weights(parametrisation: str) -> None:
    net = scramble(network(example(), parametrisation, activation="tanh"), 1)
    x = inputs()
    gain = None if net.gain is None else net.gain.detach()
    expected = reference_apply(net.dag, x, net.edge_weights().detach(), net.bias.detach(), gain, activation="tanh")
    torch.testing.assert_close(net(x).detach(), expected, rtol=1e-4, atol=1e-5)


def test_edge_weights_follow_the_parametrisation() -> None:
    dag = example()
    masked, manifold, free = (scramble(network(dag, each), 2) for each in PARAMETRISATIONS)
    assert masked.weight is not None
    assert torch.equal(masked.edge_weights(), masked.strengths().c * masked.weight)
    assert torch.equal(manifold.edge_weights(), manifold.strengths().c)
    assert free.weight is not None
    assert torch.equal(free.edge_weights(), free.weight)
    with pytest.raises(ValueError, match="a free network has no closeness"):
        free.strengths()


def test_live_means_open_and_not_that_the_free_weight_is_not_zero() -> None:
    net = scramble(network(example(), "masked"), 3)
    with torch.no_grad():
        assert net.weight is not None
        net.weight.zero_()
    live = net.live_mask()
    assert 0 < live.sum() < net.dag.n_edges
    np.testing.assert_array_equal(live, (net.strengths().c != 0).numpy())
    assert network(example(), "free").live_mask().all()


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
def test_one_evaluation_gives_outputs_terms_and_live_mask(parametrisation: str) -> None:
    net = scramble(network(example(), parametrisation), 4)
    outputs, terms, live = net.forward_with_terms(inputs())
    assert torch.equal(outputs, net(inputs()))
    assert torch.equal(terms.flow, net.terms().flow)
    assert torch.equal(terms.smooth, net.terms().smooth)
    np.testing.assert_array_equal(live.numpy(), net.live_mask())


def test_terms_of_a_free_network_are_constant_sparsity_and_flow_of_its_weights() -> None:
    net = network(DAG(1, 1, 1, [(0, 1), (1, 2)]), "free")
    with torch.no_grad():
        assert net.weight is not None
        net.weight.copy_(torch.tensor([-3.0, 1.0]))
    terms = net.terms()
    assert float(terms.flow.detach()) == 4.0
    assert float(terms.sparsity) == 1.0
    assert not terms.smooth.requires_grad


def test_gradient_reaches_every_parameter() -> None:
    for parametrisation in PARAMETRISATIONS:
        net = network(example(), parametrisation)
        outputs, terms, _ = net.forward_with_terms(inputs())
        (outputs.square().sum() + terms.sparsity + terms.flow).backward()
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert (parameter.grad != 0).any(), name


def test_masked_start_keeps_the_variance_of_signals() -> None:
    net = network(random_dag(40, 200, 10, density=0.3, rng=np.random.default_rng(0)), "masked")
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(500, 40)).astype(np.float32))
    assert 0.02 < float(net(x).detach().var()) < 1.0  # OUTPUT_VARIANCE 0.1 within what a random graph allows


def test_every_parameter_is_in_one_group_with_a_rate() -> None:
    for parametrisation in PARAMETRISATIONS:
        net = network(example(), parametrisation)
        groups = net.parameter_groups(1e-3, 0.1)
        grouped = [id(p) for group in groups for p in group["params"]]
        assert sorted(grouped) == sorted(id(p) for p in net.parameters())
        assert all(group["lr"] > 0 for group in groups)
        decays = [group for group in groups if group.get("weight_decay")]
        assert [p.shape for group in decays for p in group["params"]] == [
            (net.weight if net.weight is not None else net.gain).shape  # type: ignore[union-attr]
        ]


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
def test_arrays_round_trip(parametrisation: str) -> None:
    dag = example()
    net = scramble(network(dag, parametrisation), 5)
    arrays = net.to_arrays()
    assert parametrisation_of(arrays) == parametrisation
    other = ManifoldNetwork.from_arrays(dag, arrays, activation=net.activation)
    assert torch.equal(net(inputs()), other(inputs()))
    assert other.to_arrays().keys() == arrays.keys()
    with torch.no_grad():
        other.bias.add_(1.0)
    np.testing.assert_array_equal(arrays["bias"], net.to_arrays()["bias"])  # copies


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("bias"), "a masked network needs the arrays bias too"),
        (lambda a: a.update(extra=np.zeros(1)), "a masked network has no arrays extra"),
        (lambda a: a.update(mu=np.zeros(2)), r"array mu must have shape \(23,\) on DAG\(.*\), but has \(2,\)"),
        (lambda a: a.update(mu=np.full(23, np.nan)), "array mu must be finite, but holds NaN"),
        (lambda a: a.update(period=np.float32(0)), "array period must be positive, but is 0.0"),
    ],
)
def test_refuses_arrays_that_do_not_fit_and_stays_as_it_was(change: object, message: str) -> None:
    net = network(example())
    arrays = net.to_arrays()
    change(arrays)  # type: ignore[operator]
    before = net(inputs())
    with pytest.raises(ValueError, match=message):
        net.load_arrays(arrays)
    assert torch.equal(net(inputs()), before)


@given(
    seed=st.integers(0, 10_000),
    parametrisation=st.sampled_from(PARAMETRISATIONS),
    activation=st.sampled_from(["leaky_relu", "tanh", "softplus"]),
)
@settings(max_examples=60, deadline=None)
def test_pruned_and_folded_networks_predict_the_same(seed: int, parametrisation: str, activation: str) -> None:
    net = scramble(network(example(seed, density=0.3), parametrisation, seed, activation=activation), seed)
    x = inputs(seed)
    live = net.dag.with_edges(net.live_mask(), allow_unreachable=True)
    if live.unreachable_outputs():
        event("lobotomised")
        with pytest.raises(UnreachableOutputError, match="every output must have a path"):
            net.fold()
        return
    expected = net(x).detach().numpy()
    scale = 1e-6 * (1 + np.abs(expected).max())
    small, module = net.pruned(), net.fold()
    np.testing.assert_allclose(small(x).detach(), expected, atol=4 * scale, rtol=0)
    np.testing.assert_allclose(module(x).detach(), expected, atol=4 * scale, rtol=0)
    assert small.dag.n == net.dag.n
    useful = small.dag.useful_neurons()
    assert useful[small.dag.sources].all()
    assert useful[small.dag.targets].all()
    assert module.dag.n_edges == small.dag.n_edges <= live.n_edges
    assert module.dag.n_computational == useful[6 : small.dag.first_output].sum()
    assert set(module.dag.ids.tolist()) <= set(net.dag.ids.tolist())


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
def test_scrambled_examples_are_sparse_and_alive(parametrisation: str) -> None:
    """The property above would prove nothing on networks that are all dead."""
    alive, sparse = 0, 0
    for seed in range(20):
        net = scramble(network(example(seed, density=0.3), parametrisation, seed), seed)
        alive += not net.dag.with_edges(net.live_mask(), allow_unreachable=True).unreachable_outputs()
        sparse += not net.live_mask().all()
    assert alive >= 8
    assert sparse == (0 if parametrisation == "free" else 20)


def test_constant_neurons_move_into_biases() -> None:
    # 1 reads nothing; what it emits reaches output 3 through 2 and directly.
    dag = DAG(1, 2, 1, [(0, 2), (1, 2), (2, 3), (1, 3)])
    net = network(dag, "free", activation="sigmoid")
    with torch.no_grad():
        net.bias.copy_(torch.tensor([0.7, -0.2, 0.1]))
    x = inputs(width=1)
    module = net.fold()
    torch.testing.assert_close(module(x), net(x), rtol=1e-6, atol=1e-6)
    assert module.dag.ids.tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parametrisation": "dense"}, "parametrisation must be one of masked, manifold, free, but got 'dense'"),
        ({"activation": "step"}, "activation must be one of .*, but got 'step'"),
    ],
)
def test_refuses_unknown_options(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ManifoldNetwork(example(), generator=np.random.default_rng(0), **options)  # type: ignore[arg-type]

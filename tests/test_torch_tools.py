"""Every kind of module in the hands of torch's tools: containers, pruning, ensembles, loaders, copies on processes."""

import copy
import gc

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from nas.engine import DAGModule, MaskedLinear
from nas.graph import random_dag
from tests.kinds import KINDS, input_of, made


@pytest.mark.parametrize("kind", list(KINDS))
def test_containers(kind):
    module = made(kind)
    x, wanted = input_of(module), module(input_of(module))
    for held in (
        nn.ModuleDict({"mine": module, "weight": copy.deepcopy(module)}),
        nn.ModuleList([module]),
        nn.Sequential(module, nn.Identity()),
    ):
        other = copy.deepcopy(held)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.zero_()
        other.load_state_dict(held.state_dict())
        first = other["mine"] if isinstance(other, nn.ModuleDict) else other[0]
        torch.testing.assert_close(first(x), wanted)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_default_type_of_double(kind):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        module = KINDS[kind]()
        x = input_of(module)
    finally:
        torch.set_default_dtype(before)
    kinds = {parameter.dtype for parameter in module.parameters()}
    assert len(kinds) == 1
    if kinds == {torch.float64}:
        assert module(x).dtype == torch.float64
    else:  # those that start from numpy's numbers are of float32 whatever the default; they say so
        assert module(x.float()).dtype == torch.float32


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_ensemble(kind):
    """As the tutorial of torch.func does it: parameters of all members stacked, one call for them all."""
    members = [made(kind) for _ in range(3)]
    with torch.no_grad():
        for k, member in enumerate(members):
            for parameter in member.parameters():
                parameter.mul_(1 + 0.1 * k)
    x = input_of(members[0])
    parameters, buffers = torch.func.stack_module_state(members)

    def call(parameters, buffers, x):
        return torch.func.functional_call(members[0], (parameters, buffers), (x,))

    found = torch.func.vmap(call, in_dims=(0, 0, None))(parameters, buffers, x)
    torch.testing.assert_close(found, torch.stack([member(x) for member in members]))


@pytest.mark.parametrize("kind", list(KINDS))
def test_gradients_of_single_samples(kind):
    module = made(kind)
    x = input_of(module)
    parameters = {name: parameter.detach() for name, parameter in module.named_parameters() if parameter.requires_grad}

    def loss(parameters, row):
        return torch.func.functional_call(module, parameters, (row[None],)).square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    for k, row in enumerate(x):
        module.zero_grad()
        module(row[None]).square().sum().backward()
        for name in parameters:
            wanted = module.get_parameter(name).grad
            torch.testing.assert_close(found[name][k], torch.zeros_like(found[name][k]) if wanted is None else wanted)


@pytest.mark.parametrize("kind", list(KINDS))
def test_pruning(kind):
    """What torch prunes is 0, in the module's numbers and in what it gives, until it is made to stay."""
    module = made(kind)
    name, parameter = max(module.named_parameters(), key=lambda each: each[1].numel())
    owner, _, last = name.rpartition(".")
    held, x = module.get_submodule(owner), input_of(module)
    zeroed = copy.deepcopy(module)
    prune.l1_unstructured(held, last, amount=0.5)
    with torch.no_grad():
        zeroed.get_parameter(name).copy_(getattr(held, last))
    assert int((getattr(held, last) == 0).sum()) >= parameter.numel() // 2
    torch.testing.assert_close(module(x), zeroed(x))
    module(x).sum().backward()
    assert getattr(held, f"{last}_orig").grad is not None
    prune.remove(held, last)
    torch.testing.assert_close(module(x), zeroed(x))


@pytest.mark.parametrize("kind", ["dag", "masked engine", "layers"])
def test_parametrizations(kind):
    """Weight norm of a vector of weights, and spectral norm where there is a matrix."""
    module = made(kind)
    name = next(name for name, parameter in module.named_parameters() if parameter.numel() > 3)
    owner, _, last = name.rpartition(".")
    held, x = module.get_submodule(owner), input_of(module)
    wanted = module(x)
    parametrizations.weight_norm(held, last, dim=None)
    torch.testing.assert_close(module(x), wanted)
    module(x).sum().backward()
    assert all(part.grad is not None for part in held.parametrizations[last].parameters())
    if getattr(held, last).ndim == 2:
        other = made(kind)
        parametrizations.spectral_norm(other.get_submodule(owner), last)
        assert torch.isfinite(other(x)).all()


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.strided])
def test_sparse_tensors_as_masks(layout):
    mask = torch.from_numpy(np.random.default_rng(0).random((3, 5)) < 0.6).float()
    given = mask if layout is torch.strided else mask.to_sparse(layout=layout)
    generator = torch.Generator().manual_seed(0)
    module = MaskedLinear(5, 3, given, generator=generator)
    other = MaskedLinear(5, 3, mask.numpy(), generator=generator.manual_seed(0))
    x = torch.randn(2, 5)
    torch.testing.assert_close(module(x), other(x))


class Rows(torch.utils.data.Dataset):
    """Samples that a module has gone through, in a loader's process."""

    def __init__(self, module, x):
        self.module, self.x = module, x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, k):
        with torch.no_grad():
            return self.module(self.x[k : k + 1])[0]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_data_loaders(start):
    dag = random_dag(40, 300, 5, density=0.3, rng=np.random.default_rng(0))
    module, x = DAGModule(dag, "tanh"), torch.randn(6, 40)
    wanted = module(x).detach()  # with threads, before any process is forked
    loader = torch.utils.data.DataLoader(Rows(module, x), batch_size=3, num_workers=1, multiprocessing_context=start)
    torch.testing.assert_close(torch.cat(list(loader)), wanted)


@pytest.mark.parametrize("kind", ["dag", "masked engine", "wired", "manifold masked", "recurrent", "layers"])
def test_distributed_data_parallel(kind, tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        _same_gradients_together(kind)
    finally:
        gc.collect()
        torch.distributed.destroy_process_group()


def _same_gradients_together(kind: str) -> None:
    """In a function of its own, so that DDP's reducer is gone before the group: where it is the last to hold the group,
    torch ends the group's threads while it keeps Python's lock, for which such a thread may wait for ever."""
    module, alone = made(kind, torch.float32), made(kind, torch.float32)
    together = nn.parallel.DistributedDataParallel(module)
    x = input_of(module, dtype=torch.float32)
    together(x).square().sum().backward()
    alone(x).square().sum().backward()
    for one, two in zip(module.parameters(), alone.parameters(), strict=True):
        assert (one.grad is None) == (two.grad is None)
        if one.grad is not None:
            torch.testing.assert_close(one.grad, two.grad)

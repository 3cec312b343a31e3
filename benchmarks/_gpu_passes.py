"""Forward and backward of the same graphs on one GPU: the engine against what torch offers."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.engine.cuda import GPU, gpu_apply
from nas.graph import DAG, random_dag
from nas.training.cost.timing import measure

__all__ = ["passes", "peaks"]

SAMPLES, BUDGET = 11, 1.0
_METHOD_SECONDS = 30  # for one method on one graph, its compilation included; torch.compile unrolls every level


@contextlib.contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    """Raises: TimeoutError: what is inside takes longer."""

    def late(*_: object) -> None:
        raise TimeoutError(f"not ready after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def peaks(gpu: GPU, size: int) -> dict[str, float]:
    """What the device reaches: bytes a second of a copy, read and written; float32 operations a second of a product."""
    device = gpu.torch_device
    source = torch.randn(size * size, device=device)
    target = torch.empty_like(source)
    copying = measure(lambda: target.copy_(source), device=device.type, budget_seconds=BUDGET).seconds
    a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    exact = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        multiplying = measure(lambda: torch.mm(a, b), device=device.type, budget_seconds=BUDGET).seconds
    finally:
        torch.backends.cuda.matmul.allow_tf32 = exact
    return {"bytes_per_second": 2 * 4 * size**2 / copying, "flops": 2 * size**3 / multiplying}


class Levels(nn.Module):
    """One product a level, of a dense masked matrix or of a sparse one, on the neurons that the level reads."""

    def __init__(self, dag: DAG, weight: Tensor, sparse: bool) -> None:
        super().__init__()
        self.sparse, self.n_inputs = sparse, dag.n_inputs
        level = dag.levels()[dag.n_inputs : dag.first_output]
        order = dag.n_inputs + np.argsort(level, kind="stable")
        cuts = np.flatnonzero(np.diff(np.sort(level))) + 1
        groups = (
            [*np.split(order, cuts), np.arange(dag.first_output, dag.n)]
            if order.size
            else [np.arange(dag.first_output, dag.n)]
        )
        place = np.arange(dag.n)
        self.edges: list[np.ndarray] = []
        self.sizes: list[tuple[int, int]] = []
        self.weights, filled = nn.ParameterList(), dag.n_inputs
        for k, neurons in enumerate(groups):
            edges = np.concatenate([np.arange(dag.in_ptr[i], dag.in_ptr[i + 1]) for i in neurons])
            rows = np.repeat(np.arange(neurons.size), [dag.in_ptr[i + 1] - dag.in_ptr[i] for i in neurons])
            read, columns = np.unique(place[dag.sources[edges]], return_inverse=True)
            ascending = np.lexsort((columns, rows))  # as a sparse matrix wants them
            edges, rows, columns = edges[ascending], rows[ascending], columns[ascending]
            at = torch.from_numpy(np.stack([rows, columns]))
            self.register_buffer(f"read{k}", torch.from_numpy(read))
            self.register_buffer(f"at{k}", at)
            if sparse:
                self.weights.append(nn.Parameter(weight[torch.from_numpy(edges)].clone()))
            else:
                dense, mask = torch.zeros(neurons.size, read.size), torch.zeros(neurons.size, read.size)
                dense[at[0], at[1]], mask[at[0], at[1]] = weight[torch.from_numpy(edges)], 1.0
                self.register_buffer(f"mask{k}", mask)
                self.weights.append(nn.Parameter(dense))
            self.edges.append(edges)
            self.sizes.append((neurons.size, read.size))
            place[neurons] = np.arange(filled, filled + neurons.size)
            filled += neurons.size

    def forward(self, x: Tensor) -> Tensor:
        state = x.t()
        for k, weight in enumerate(self.weights):
            read = state.index_select(0, getattr(self, f"read{k}"))
            if self.sparse:
                # Rows and columns ascend, so that it need not be sorted at every call.
                matrix = torch.sparse_coo_tensor(
                    getattr(self, f"at{k}"), weight, self.sizes[k], check_invariants=False, is_coalesced=True
                )
                sums = torch.sparse.mm(matrix, read)
            else:
                sums = (weight * getattr(self, f"mask{k}")) @ read
            if k + 1 < len(self.weights):
                state = torch.cat([state, torch.relu(sums)])
        result: Tensor = sums.t()
        return result

    def edge_gradient(self, n_edges: int) -> Tensor:
        """That of each edge's weight, in the order of the DAG."""
        found = torch.zeros(n_edges)
        for k, (edges, weight) in enumerate(zip(self.edges, self.weights, strict=True)):
            at = getattr(self, f"at{k}")
            assert weight.grad is not None
            found[torch.from_numpy(edges)] = (weight.grad if self.sparse else weight.grad[at[0], at[1]]).cpu()
        return found


def passes(
    gpu: GPU, sizes: tuple[int, int, int], density: float, batch: int, limit: dict[str, float]
) -> dict[str, Any]:
    """Seconds of forward and backward by method; each is checked against the engine's values before it is timed."""
    dag = random_dag(*sizes, density=density, rng=np.random.default_rng(0))
    generator = torch.Generator().manual_seed(0)
    fan_in = np.maximum(np.diff(dag.in_ptr), 1)[dag.targets]
    start = torch.randn(dag.n_edges, generator=generator) * torch.from_numpy((2 / fan_in) ** 0.5).float()
    device = gpu.torch_device
    x = torch.randn(batch, dag.n_inputs, generator=generator).to(device)
    sent = torch.randn(batch, dag.n_outputs, generator=generator).to(device)
    weight = start.to(device).requires_grad_()

    def engine() -> Tensor:
        weight.grad = None
        y = gpu_apply(gpu, dag, x, weight)
        y.backward(sent)  # type: ignore[no-untyped-call]
        return y

    expected, gradient = engine().detach(), weight.grad
    assert gradient is not None
    seconds: dict[str, Any] = {"engine": _seconds(engine, device)}
    # On the simulator (device cpu) there is nothing to compile for and no graph to capture.
    kinds = ["levels", "sparse", *(["compiled", "graphed"] if device.type == "cuda" else [])]
    for kind in kinds:
        try:
            with _at_most(_METHOD_SECONDS):
                seconds[kind] = _levels(kind, dag, start, x, sent, expected, gradient.cpu())
        except Exception as error:  # a method that cannot is part of the result
            seconds[kind] = _reason(error)
    flops = 6 * dag.n_edges * batch
    moved = 4 * (2 * x.numel() + 2 * expected.numel()) + 2 * 12 * dag.n_edges  # inputs twice, links and gradients once
    taken = seconds["engine"]
    return {
        "sizes": list(sizes), "density": density, "batch": batch, "edges": dag.n_edges, "depth": int(dag.depth),
        "seconds": seconds, "flops": flops / taken, "flops_share": flops / taken / limit["flops"],
        "bytes_per_second": moved / taken, "bytes_share": moved / taken / limit["bytes_per_second"],
    }  # fmt: skip


def _reason(error: BaseException) -> str:
    """What went wrong, in a line: of a compiler's failure that which it wraps."""
    while error.__cause__ is not None or getattr(error, "inner_exception", None) is not None:
        error = error.__cause__ or error.inner_exception  # type: ignore[attr-defined]
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:80]}"


def _levels(kind: str, dag: DAG, start: Tensor, x: Tensor, sent: Tensor, expected: Tensor, gradient: Tensor) -> float:
    module = Levels(dag, start, sparse=kind == "sparse").to(x.device)
    call: Callable[[Tensor], Tensor] = torch.compile(module) if kind == "compiled" else module

    def step() -> Tensor:
        for weight in module.weights:
            weight.grad = None
        y = call(x)
        y.backward(sent)  # type: ignore[no-untyped-call]
        return y

    # A graph is captured on a stream of its own, and what accumulates gradients must have been made there too.
    stream = torch.cuda.Stream() if kind == "graphed" else None  # type: ignore[no-untyped-call]
    if stream is not None:
        stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream) if stream is not None else contextlib.nullcontext():
        y = step()
        for _ in range(3):
            step()
    for name, got, wanted in (("values", y, expected), ("gradients", module.edge_gradient(dag.n_edges), gradient)):
        apart = float((got.detach().cpu() - wanted.cpu()).norm() / wanted.cpu().norm())
        if not apart < 1e-3:
            raise ValueError(f"{name} differ from the engine's by {apart:.1e}")
    if stream is None:
        return _seconds(step, x.device)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    for weight in module.weights:
        weight.grad = None
    with torch.cuda.graph(graph, stream=stream):
        module(x).backward(sent)
    return _seconds(graph.replay, x.device)


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    return measure(call, device=device.type, samples=SAMPLES, budget_seconds=BUDGET).seconds

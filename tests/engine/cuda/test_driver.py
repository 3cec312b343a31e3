"""The code for a real GPU, run for real: against a stand-in for the CUDA driver that is stricter than the driver."""

import json
import re
from pathlib import Path

import pytest

from nas.engine.cuda import _driver, _nvrtc

NETWORKS = """
import threading
import numpy as np, torch
from nas.engine import DAGModule, reference_apply
from nas.engine.cuda import gpu_apply, gpu_of
from nas.graph import random_dag

dag = random_dag(20, 60, 4, density=0.2, rng=np.random.default_rng(0))
module = DAGModule(dag, "silu")
x = torch.randn(100, 20)
wanted = module(x)
wanted.square().sum().backward()
gradient = module.weight.grad.clone()
module.zero_grad()
there = module.to("cuda")
y = there(x.to("cuda"))
torch.testing.assert_close(y.cpu(), wanted.detach(), rtol=1e-4, atol=1e-5)
y.square().sum().backward()
torch.testing.assert_close(there.weight.grad.cpu(), gradient, rtol=1e-3, atol=1e-4)

found = []  # a thread that has never used CUDA has no current context
thread = threading.Thread(target=lambda: found.append(there(x.to("cuda")).cpu()))
thread.start()
thread.join()
assert torch.equal(found[0], y.cpu())

with torch.no_grad():  # what the first call has put there is gone before its kernels have run
    kept = [there(x.to("cuda")) for _ in range(3)]
assert all(torch.equal(each.cpu(), y.cpu()) for each in kept)
live = torch.from_numpy(np.random.default_rng(1).random(dag.n_edges) < 0.5)
half = gpu_apply(gpu_of(0), dag, x.to("cuda"), there.weight, live=live.to("cuda"))
slow = reference_apply(dag, x, there.weight.cpu(), live=live)
torch.testing.assert_close(half.cpu(), slow, rtol=1e-4, atol=1e-5)
try:
    there(x)
except ValueError as error:
    assert "x must be on cuda:0 like weight, but is on cpu" in str(error)
else:
    raise AssertionError
"""

REFUSALS = """
import numpy as np, torch
from nas.engine.cuda import Kernel, gpu_of
from nas.engine.cuda._driver import DriverError
from nas.engine.cuda._nvrtc import NVRTCError, target_of

gpu = gpu_of(0)
assert (gpu.shared_bytes, gpu.multiprocessors, gpu.name) == (227 * 1024, 4, "NVIDIA Stand-in")
assert target_of(90) == "sm_90" and target_of(120) == "compute_90"
source = '''
%s
struct Job { int* at; int value; int padding; };
KERNEL(store, 512)(const void* jobs, int count) { if (threadIdx.x == 0) *((const Job*)jobs)[blockIdx.x].at = count; }
KERNEL_OF(Job, store_value, 512) { if (threadIdx.x == 0) c.at[blockIdx.x] = c.value; }
KERNEL_OF(Job, beside, 512) { if (threadIdx.x == 0) c.at[4] = 1; }
''' % open("nas/engine/cuda/source/platform.h").read().replace('#include "simulator.h"',
    open("nas/engine/cuda/source/simulator.h").read())
cells = torch.zeros(4, dtype=torch.int32, device="cuda")
job = np.zeros(1, [("at", "u8"), ("value", "i4"), ("padding", "i4")])
job["at"], job["value"] = cells.data_ptr(), 7
gpu.launch(Kernel("store_value", source), 3, job)
job["value"] = 9  # the driver has its copy
assert cells.cpu().tolist() == [7, 7, 7, 0]
jobs = gpu.upload(np.repeat(job, 2).view(np.uint8))
gpu.launch(Kernel("store", source), 2, jobs, 2, shared_bytes=100_000, team=2)
assert cells.cpu().tolist() == [2, 7, 7, 0]

def refused(what, error, *arguments, **options):
    try:
        gpu.launch(*arguments, **options)
    except error as found:
        assert what in str(found), found
    else:
        raise AssertionError(what)

refused("300000 bytes of shared memory: invalid argument (1)", DriverError, Kernel("store", source), 2, jobs, 2,
        shared_bytes=300_000)
refused("kernel missing: named symbol not found (500)", DriverError, Kernel("missing", source), 1, job)
refused("5 blocks of store wait for each other, but only 4 run at once", RuntimeError, Kernel("store", source), 5, jobs,
        2, team=5)
refused("NVRTC refused the kernels", NVRTCError, Kernel("store", "not C++"), 1, job)
gpu.launch(Kernel("store", source), 1, torch.zeros(4, dtype=torch.int64), 1)  # not in the GPU's memory
for _ in range(2):  # such an error stays
    try:
        gpu.synchronize()
    except RuntimeError as error:
        assert "illegal memory access" in str(error)
    else:
        raise AssertionError
"""

BESIDE = (
    REFUSALS.split("def refused")[0]
    + """
gpu.launch(Kernel("beside", source), 1, job)
try:
    gpu.synchronize()
except RuntimeError as error:
    assert "illegal memory access" in str(error)
else:
    raise AssertionError
"""
)

TRIALS = """
import json
import numpy as np, torch
from nas.graph import random_dag
from nas.training import Candidate, Dataset, Genome, TrainingConfig, run_trials
from nas.training.gpu import measured

measured.STEPS_TIMED = 2
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 12)).astype(np.float32)
y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
data = Dataset("xor", "classification", x, y, x[:50], y[:50], x[50:90], y[50:90], classes=("no", "yes"))
ends = []
for count, sizes in ((3, 10), (1, 10), (2, 9_000)):  # teams of one block and of four; more than there is memory
    config = TrainingConfig(batch_size=64, inference_batch=32, parametrisation="free")
    dags = [random_dag(12, sizes + k, 2, density=20 / sizes**1.5, rng=np.random.default_rng(k)) for k in range(count)]
    results = run_trials([Candidate(k, Genome(dag), k, 4) for k, dag in enumerate(dags)], data, config, device="cuda")
    ends.append([(each.status.value, each.reason, dict(each.metrics)) for each in results])
print(json.dumps(ends))
"""


def test_signatures_are_those_of_the_header():
    headers = sorted(Path("/usr/local").glob("cuda*/include/cuda.h"))
    if not headers:
        pytest.skip("cuda.h is not installed")
    text = re.sub(r"/\*.*?\*/", "", headers[-1].read_text(encoding="utf-8", errors="replace"), flags=re.DOTALL)
    renamed = dict(re.findall(r"#define (cu\w+)\s+(cu\w+_v\d)\b", text))
    declared = {
        renamed.get(name, name): arguments
        for name, arguments in re.findall(r"CUresult CUDAAPI (cu\w+)\(([^)]*)\);", text)
    }
    for name, ours in _driver.SIGNATURES.items():
        theirs = [_kind(each) for each in declared[name].split(",")]
        assert [_kind_of_ctypes(each) for each in ours] == theirs, name


def _kind(argument):
    """A declared argument as bytes wide and whether signed; "pointer"; "pointers" to what the function fills in."""
    argument = argument.replace("const ", "").strip()
    if "*" in argument:
        return "pointer"
    kind = argument.rsplit(" ", 1)[0]
    named = {"unsigned int": "word", "int": "int", "size_t": "size", "CUdevice": "int", "CUdevice_attribute": "int"}
    named |= {"CUfunction_attribute": "int", "CUresult": "int"}
    return named.get(kind, "pointer")  # handles


def _kind_of_ctypes(kind):
    return {"c_uint": "word", "c_int": "int", "c_ulong": "size"}.get(kind.__name__, "pointer")


def test_every_function_of_nvrtc_is_there():
    try:
        library = _nvrtc.nvrtc()
    except _nvrtc.NVRTCError:
        pytest.skip("NVRTC is not installed")
    assert all(hasattr(library, name) for name in _nvrtc.SIGNATURES)


@pytest.mark.parametrize("code", [NETWORKS, REFUSALS, BESIDE], ids=["networks", "refusals", "beside its memory"])
def test_on_the_stand_in(standin, code):
    standin(code)


@pytest.mark.timeout(900)  # a process of its own checks the kernels first, which compiles them
def test_trials_on_the_stand_in(standin):
    group, alone, large = json.loads(standin(TRIALS, timeout=800, STANDIN_MEMORY=4 << 20))
    for status, reason, metrics in [*group, *alone]:
        assert status == "complete", reason
        # What the stand-in's events say: a launch is 2 ms, whatever the processor does meanwhile.
        assert metrics["train_step_seconds"] == pytest.approx(2e-3 / 2)
        assert metrics["inference_seconds"] == pytest.approx(2 * 2e-3)  # weights packed, then the pass
        assert metrics["reference_seconds"] == pytest.approx(4e-3)
    for status, reason, _ in large:
        assert status == "failed"
        assert "out of memory" in reason


WRONG = (
    TRIALS.split("ends = []")[0]
    + """
import logging
logging.basicConfig()
config = TrainingConfig(batch_size=64, inference_batch=32, parametrisation="masked", learning_rate=0.01)
dag = random_dag(12, 20, 2, density=0.3, rng=rng)
results = run_trials([Candidate(k, Genome(dag), k, 60) for k in range(2)], data, config, device="cuda")
for each in results:
    assert each.status.value == "complete", each.reason
print(json.dumps([[dict(each.hardware), dict(each.metrics)] for each in results]))
"""
)


@pytest.mark.timeout(900)
def test_a_gpu_with_a_wrong_kernel_trains_without_kernels_and_says_so(standin, tmp_path):
    settings = {
        "STANDIN_WRONG": "one = ((real(0.9) * one) + gradient);=>one = ((real(0.8) * one) + gradient);",
        "XDG_CACHE_HOME": tmp_path,
    }
    for hardware, metrics in json.loads(standin(WRONG, timeout=400, **settings)):
        assert hardware["gpu_path"] == "plain torch operations"
        assert "is wrong by" in hardware["gpu_path_reason"]
        assert 0 < metrics["val_loss"] < 0.8
    (entry, *_) = json.loads((tmp_path / "dag-nas" / "gpu-checks.json").read_text()).values()
    assert entry["right"] is False
    settings["STANDIN_WRONG"] = "DEVICE real activate=>DEVICE rael activate"  # which does not compile
    settings["XDG_CACHE_HOME"] = tmp_path / "second"
    for hardware, _ in json.loads(standin(WRONG, timeout=400, **settings)):
        assert "NVRTC refused the kernels" in hardware["gpu_path_reason"]


JOB = """
data: {source: digits}
space: {name: neuron_dag, options: {n_computational: [5, 12], density: [0.05, 0.15]}}
tracking: {experiment: shared}
search: {strategy: random, trials: 4, group: 2, seed: 1}
training: {steps: 4, batch_size: 32, inference_batch: 32, parametrisation: free}
resources: {executor: ray, device: cuda, gpus: 0.5, threads: 1}
"""


@pytest.mark.ray
@pytest.mark.slow
def test_a_whole_search_on_workers_that_share_a_gpu(standin, tmp_path):
    (tmp_path / "job.yaml").write_text(JOB)
    record = tmp_path / "workers.txt"
    start = ("-c", "import sys; from nas.cli import main; sys.exit(main())")
    nas = (*start, "search", str(tmp_path / "job.yaml"), "--set", f"tracking.store={tmp_path / 'runs'}")
    fault = tmp_path / "the first launch of all failed"  # as after an illegal access, all later ones of its process too
    settings = {"STANDIN_RECORD": record, "STANDIN_FAILS_ONCE": fault}
    printed = standin(None, *nas, STANDIN_LAUNCH_NS=20_000_000, STANDIN_MEMORY=2 << 30, **settings)
    assert fault.exists()
    assert "4 done, 0 running, 0 failed of 4" in printed, printed
    lines = [line.split() for line in record.read_text().splitlines()]
    assert len({process for process, _, _ in lines}) == 3, printed  # the one that lost its GPU was replaced
    for _, share, visible in lines:
        assert 0.1 < float(share) < 0.5  # of the memory; what CUDA's own context needs is taken off
        assert visible == "0"
    again = standin(None, *start, "replay", "0", "--store", str(tmp_path / "runs"))
    assert "same" in again

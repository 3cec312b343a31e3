"""What `device`, `gpus` and `group` of a job come to."""

import pytest

from nas.cli._workers import evaluator, make_executor, need_cores
from nas.engine.cuda import why_no_gpu
from nas.errors import JobError
from nas.job import Job
from nas.training import DataConfig, load_data, run_grouped, run_trial


def job(resources="", search=""):
    sections = {"resources": {"executor": "serial"}, "search": {"trials": 100}}
    for text, section in ((resources, "resources"), (search, "search")):
        for pair in filter(None, text.split(",")):
            key, value = pair.split("=")
            sections[section][key] = value if value.isalpha() else float(value) if "." in value else int(value)
    return Job.from_mapping(sections)


@pytest.mark.parametrize(
    ("resources", "on_gpu", "gpus"),
    [("", False, 0.0), ("device=cuda", True, 1.0), ("gpus=0.25", True, 0.25), ("gpus=0,device=cpu", False, 0.0)],
)
def test_where_trials_run(resources, on_gpu, gpus):
    found = job(resources).resources
    assert (found.on_gpu, found.gpus_of_worker) == (on_gpu, gpus)


def test_workers_share_a_gpu_by_their_fractions():
    assert job("gpus=0.25").resources.worker_count() == 4
    assert job("device=cuda").resources.worker_count() == 1
    assert job("device=cuda,workers=3,executor=ray").resources.worker_count() == 3


def test_more_workers_than_cores_are_refused_with_what_fits(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: 4)
    with pytest.raises(JobError, match=r"resources.workers is 32, but this machine has 4 cores.*at most 4 fit"):
        need_cores(job("workers=32,executor=ray").resources)
    with pytest.raises(JobError, match=r"resources.workers is 3 of 2 threads, .*; at most 2 fit"):
        need_cores(job("workers=3,threads=2,executor=ray").resources)
    with pytest.raises(JobError, match=r"resources.threads is 8, but this machine has 4 cores"):
        need_cores(job("threads=8").resources)
    need_cores(job("workers=4,executor=ray").resources)
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    need_cores(job("workers=32,executor=ray").resources)  # the cluster says what it has


def test_gpus_that_nothing_would_use_are_refused():
    with pytest.raises(JobError, match=r"resources.gpus: it does nothing here: device is cpu.*delete it"):
        job("gpus=0.5,device=cpu")


@pytest.mark.parametrize(
    ("resources", "search", "group"),
    [("", "", 1), ("threads=2", "", 4), ("device=cuda", "", 10), ("device=cuda", "trials=1000", 64),
     ("threads=2", "group=1", 1), ("", "group=7", 7), ("device=cuda", "trials=3", 1)],
)  # fmt: skip
def test_size_of_groups(resources, search, group):
    made = job(resources, search)
    assert made.search.group_size(made.resources) == group


@pytest.mark.skipif(why_no_gpu() is None, reason="needs a machine without a GPU")
@pytest.mark.parametrize("executor", ["serial", "ray"])
@pytest.mark.parametrize("resources", ["device=cuda", "gpus=0.5"])
def test_a_gpu_that_is_not_there_is_told_at_once(resources, executor, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    made = job(f"{resources},executor={executor}")
    with pytest.raises(
        JobError, match=r"resources\.(device is cuda|gpus is 0\.5), but .*(CUDA|driver).*set device: cpu"
    ):
        make_executor(made, load_data(DataConfig(source="digits")))


def test_groups_are_trained_in_one_call_and_alone_as_in_a_group():
    data = load_data(DataConfig(source="digits"))
    executor = make_executor(job("threads=2"), data)
    assert (executor.group, executor.capacity) == (4, 4)
    assert evaluator(job("threads=2")).func is run_grouped
    assert evaluator(job()).func is run_trial

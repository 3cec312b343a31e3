"""docs/gpu.md: its example runs, its job is valid, its commands exist."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from nas.job import Job

PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"


def test_page(run_page: Callable[[str], dict[str, Any]]) -> None:
    found = run_page("gpu.md")
    assert found["module"].weight.grad.abs().sum() > 0


def test_its_job_is_valid() -> None:
    (section,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    job = Job.from_mapping(yaml.safe_load(section))
    assert job.resources.on_gpu and job.resources.worker_count() == 2
    assert job.search.group_size(job.resources) == 64


def test_its_target_of_make_exists() -> None:
    assert re.search(r"^bench-gpu:", (PAGE.parents[1] / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

"""``nas schema``: the JSON Schema of a job file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from nas._files import write_whole
from nas.cli.console import console, writing

__all__ = ["schema"]


def schema(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write here instead of to the terminal.")] = None,
) -> None:
    """Print the JSON Schema of a job file, with which editors complete and check it.

    In VS Code (YAML extension) and most other editors, let the first line of the job file be

        # yaml-language-server: $schema=nas-job.schema.json

    after `nas schema --out nas-job.schema.json`.
    """
    from nas.job import job_schema
    from nas.search import SpaceConfig, TaskShape, load_space
    from nas.search.config import SPACES

    shape = TaskShape(n_inputs=2, n_outputs=1)  # options do not depend on it
    spaces = {name: load_space(SpaceConfig(name=name), shape).Options for name in SPACES}
    text = json.dumps(job_schema(spaces), indent=2)
    if out is None:
        console.print(text, soft_wrap=True)
    else:
        with writing(out):
            write_whole(out, text + "\n")
        console.print(f"wrote {out}")

"""What a cluster is asked about a study there, and how its answer is read."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from nas.workers.jobs import _answer, _question


def test_what_is_written_there_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell command itself, with a stand-in for `nas` on the path."""
    program = tmp_path / "nas"
    program.write_text('#!/bin/sh\necho "$NAS_STORE: $2 by $4"\nprintf "\\0bytes" > "$6"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("NAS_STORE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["export", "it's", "--pick", "edges<=20, accuracy>=0.9", "--out", "answer.onnx"]
    for store, where in (("results", tmp_path / "results"), ("/a b", "/a b")):
        command = _question(store, words, ["answer.onnx"])
        printed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
        ray = f"2026-11-29 13:30:33,680 INFO job_manager.py:581 -- up\nRunning entrypoint for job ask-1: {command}\n"
        said, files = _answer(ray + printed)
        assert said == f"{where}: it's by edges<=20, accuracy>=0.9"
        assert files == {"answer.onnx": b"\0bytes"}
        late = printed.splitlines(keepends=True)  # Ray's line comes after the command's first ones
        assert _answer("".join([late[0], ray.splitlines(keepends=True)[1], *late[1:]])) == (said, files)


def test_text_around_files_is_kept() -> None:
    lines = ["one", "nas-file: a", base64.b64encode(b"x" * 99).decode(), "nas-file:", "two"]
    assert _answer("\n".join(lines)) == ("one\ntwo", {"a": b"x" * 99})

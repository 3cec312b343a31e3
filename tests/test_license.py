"""The licence that pyproject.toml declares is in the repository, and goes into the wheel."""

import hashlib
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_text_is_the_whole_licence_and_is_packaged() -> None:
    text = (ROOT / "LICENSE").read_bytes()
    # As at apache.org and in most Python packages.
    assert hashlib.sha256(text).hexdigest() == "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE"]

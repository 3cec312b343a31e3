"""Predictions for what is no table: folders of images, one image, arrays."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import nas
from nas.cli import app

PIL = pytest.importorskip("PIL.Image")


def draw(folder: Path, size: tuple[int, int], channels: int, count: int = 12) -> None:
    """Images of two classes: dark on the left, dark on the right."""
    rng = np.random.default_rng(0)
    for place, name in enumerate(("left", "right")):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            shape = (size[1], size[0]) if channels == 1 else (size[1], size[0], channels)
            pixels = rng.integers(150, 256, shape)
            half = slice(0, size[0] // 2) if not place else slice(size[0] // 2, None)
            pixels[:, half] //= 8
            PIL.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number:02d}.png")


def searched(folder: Path) -> Path:
    with nas.search(
        f"images:{folder}",
        trials=2,
        executor="serial",
        keep=False,
        verbose=False,
        baselines=False,
        training={"steps": 300},
    ) as study:
        return study.export(folder.parent / "net.safetensors", "accurate")


@pytest.mark.parametrize(("size", "channels"), [((6, 6), 1), ((8, 4), 1), ((6, 4), 3)])
def test_images_are_answered_file_by_file(
    tmp_path: Path, size: tuple[int, int], channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path / "shapes", size, channels)
    net = str(searched(tmp_path / "shapes"))
    out = tmp_path / "answers.csv"
    asked = CliRunner().invoke(app, ["predict", net, str(tmp_path / "shapes"), "--out", str(out)])
    assert asked.exit_code == 0, asked.output
    answers = pd.read_csv(out)
    assert list(answers["file"][:2]) == ["left/00.png", "left/01.png"] and len(answers) == 24
    assert (answers["prediction"] == answers["file"].str.split("/").str[0]).mean() > 0.8
    one = CliRunner().invoke(app, ["predict", net, str(tmp_path / "shapes" / "right" / "03.png")])
    assert one.output.splitlines()[1].startswith("03.png,right,")


def test_arrays_are_answered_row_by_row_and_others_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "shapes", (6, 6), 1)
    net = str(searched(tmp_path / "shapes"))
    images = np.stack([np.asarray(PIL.open(path)) for path in sorted((tmp_path / "shapes").rglob("*.png"))])
    np.savez(tmp_path / "some.npz", pictures=images, answers=np.arange(24))
    header = struct.pack(">HBBIII", 0, 8, 3, *images.shape)
    (tmp_path / "some-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
    answers = [
        CliRunner().invoke(app, ["predict", net, str(tmp_path / name)]).output
        for name in ("some.npz", "some-images-idx3-ubyte.gz")
    ]
    assert answers[0] == answers[1] and len(answers[0].splitlines()) == 25
    np.savez(tmp_path / "other.npz", pictures=images[:, :3])
    (tmp_path / "empty").mkdir()
    for name, said in [
        ("other.npz", "pictures (24, 3, 6)) none fits the network, which takes 36 features"),
        ("absent", "no such file"),
        ("empty", "no images; expected files .png"),
    ]:
        asked = CliRunner().invoke(app, ["predict", net, str(tmp_path / name)])
        assert asked.exit_code == 1 and said in " ".join(asked.output.split())

    # What `data.source` may be besides: a folder of IDX files, and a function.
    (tmp_path / "some_rows.py").write_text(
        f"import numpy as np\nX = np.load({str(tmp_path / 'some.npz')!r})['pictures']\n"
        "def rows(): return X\ndef pair(): return X, [0] * len(X)\ndef words(): return ['a', 'b']\n"
        "def parts(): return {'x_train': X[:1], 'y_train': [0], 'x_test': X, 'y_test': [0] * len(X)}\n"
    )
    monkeypatch.chdir(tmp_path)
    for source, said in [
        ("idx:pictures", "name the one with the images, such as pictures/t10k-images-idx3-ubyte"),
        ("some_rows:words", "returned list; expected a table, or rows of 36 features, or (x, y)"),
        ("some_rows:absent", "cannot be imported"),
        ("images:absent", "absent: no such file"),
    ]:
        asked = CliRunner().invoke(app, ["predict", net, source])
        assert asked.exit_code == 1 and said in " ".join(asked.output.split()), asked.output
    for source in ("some_rows:rows", "some_rows:pair", "some_rows:parts"):
        assert CliRunner().invoke(app, ["predict", net, source]).output == answers[0]

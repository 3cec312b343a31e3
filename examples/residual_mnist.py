"""A convolutional network with a residual dense block (Zhang 2018, arXiv:1802.08797) for handwritten digits.

    python examples/residual_mnist.py                       # scikit-learn's 8 x 8 digits, ten seconds on one core
    python examples/residual_mnist.py mnist --steps 1000    # MNIST: 98 % in a minute; `nas doctor` says where it looks

Prints accuracy and process times, and writes the network as a checkpoint, as ONNX and as a picture for Graphviz.
"""

# ruff: noqa: T201 - a program for people prints

from __future__ import annotations

import argparse
from pathlib import Path

import nas
from nas.layers import (
    Conv,
    GlobalPool,
    LayerDAG,
    LayerSpec,
    LayerStructure,
    Linear,
    Node,
    Pool,
    export_onnx,
    residual,
    residual_dense,
)
from nas.training import Candidate, DataConfig, Genome, TrainingConfig, load_data, module_of, pinned_threads, run_trial


def residual_dense_network(side: int, classes: int, channels: int = 16) -> LayerSpec:
    """Shallow features, a residual dense block, a strided residual block, and both scales side by side at the end."""
    return LayerSpec.of(
        (1, side, side),
        [
            Node(name="shallow", op=Conv(channels=channels), norm="batch", activation="relu"),
            Node(name="small", inputs=("shallow",), op=Pool()),
            *residual_dense("dense", "small", channels, growth=channels // 2, layers=3),
            *residual("deep", "dense", 2 * channels, stride=2, order="pre"),
            Node(name="mean", inputs=("deep",), op=GlobalPool(), norm="batch", activation="relu", order="pre"),
            # The dense block reaches the output over the deep block; its images become features by their means.
            Node(
                name="classes",
                inputs=("mean", "dense"),
                merge="concatenate",
                project=True,
                op=Linear(features=classes),
            ),
        ],
    )


def main() -> None:
    """Train, report, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="digits", choices=["digits", "mnist"])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("residual"), help="files are called this, with an ending")
    options = parser.parse_args()

    dataset = load_data(DataConfig(source=options.data))
    assert dataset.period is not None
    spec = residual_dense_network(dataset.period, dataset.n_outputs)
    structure = LayerStructure(spec)
    candidate = Candidate(0, Genome(structure.dag, {}, structure), seed=0, steps=options.steps)
    with pinned_threads(1):
        result = run_trial(
            candidate,
            dataset,
            TrainingConfig(batch_size=64),
            on_log=lambda step, point: print(f"step {step}: batch accuracy {point['train_accuracy']:.1%}"),
        )
    if result.reason:
        raise SystemExit(result.reason)
    metrics = result.metrics
    print(
        f"test accuracy {metrics['test_accuracy']:.2%}, {metrics['edges']:,.0f} weights, depth {metrics['depth']:.0f}, "
        f"inference {1e3 * metrics['inference_seconds']:.1f} ms for 1,024 samples, "
        f"training step {1e3 * metrics['train_step_seconds']:.1f} ms"
    )
    module = module_of(structure, result.arrays)
    assert isinstance(module, LayerDAG)
    nas.save(options.out.with_suffix(".safetensors"), module, {"task": dataset.task, "metrics": dict(metrics)})
    export_onnx(module, options.out.with_suffix(".onnx"))
    options.out.with_suffix(".dot").write_text(spec.to_dot(), encoding="utf-8")
    print(f"wrote {options.out}.safetensors, .onnx and .dot")


if __name__ == "__main__":
    main()

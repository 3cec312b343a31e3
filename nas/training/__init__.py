"""Training: data, trainer, metrics and process-time measurement.

A `Candidate` and a `Dataset` go in, a `TrialResult` comes out. Nothing here knows of strategies, Ray or MLflow.
"""

from nas.training._loop import History
from nas.training._modules import train_module
from nas.training._recorder import Recorder, Recording
from nas.training._trainer import train
from nas.training._trial import run_trial, signed
from nas.training._trials import run_grouped, run_trials
from nas.training._watch import record_training
from nas.training.acting import LAYERS, MODULES, NEURONS, SEQUENCES, NetworkKind
from nas.training.compression.config import SparsifyConfig
from nas.training.cost.calibrate import calibrate
from nas.training.cost.calibration import (
    Calibration,
    CalibrationError,
    PinnedCosts,
    calibration_path,
    find_calibration,
    pinned_costs,
    save_calibration,
)
from nas.training.cost.chip import finishing_steps, latencies, raw_features, raw_targets
from nas.training.cost.costs import Costs, costs_for
from nas.training.cost.timing import (
    Timing,
    half_interval,
    hardware,
    measure,
    pinned_threads,
    reference_kernel_seconds,
    time_inference,
    time_training_step,
)
from nas.training.data.config import BUILT_IN_SOURCES, TABLE_SUFFIXES, TEXT_SUFFIXES, DataConfig
from nas.training.data.fingerprint import Fingerprint
from nas.training.data.idx import read_idx
from nas.training.data.images import IMAGE_SUFFIXES, read_images
from nas.training.data.load import LoadedData, Statistics, load_data, read_data
from nas.training.data.own import read_npz
from nas.training.data.report import Finding
from nas.training.data.tabular import read_frame
from nas.training.quality.metrics import Judgement, evaluate, judge
from nas.training.quality.scores import class_report, default_scorers, one_class, scorer_values
from nas.training.structure import Structure, module_of, register_structure, structure_of
from nas.training.types import (
    Arrays,
    Candidate,
    Dataset,
    Evidence,
    Genome,
    LossWeights,
    Scalar,
    Task,
    TrainingConfig,
    TrainingState,
    TrialResult,
    TrialStatus,
)

__all__ = [
    "BUILT_IN_SOURCES",
    "IMAGE_SUFFIXES",
    "LAYERS",
    "MODULES",
    "NEURONS",
    "SEQUENCES",
    "TABLE_SUFFIXES",
    "TEXT_SUFFIXES",
    "Arrays",
    "Calibration",
    "CalibrationError",
    "Candidate",
    "Costs",
    "DataConfig",
    "Dataset",
    "Evidence",
    "Finding",
    "Fingerprint",
    "Genome",
    "History",
    "Judgement",
    "LoadedData",
    "LossWeights",
    "NetworkKind",
    "PinnedCosts",
    "Recorder",
    "Recording",
    "Scalar",
    "SparsifyConfig",
    "Statistics",
    "Structure",
    "Task",
    "Timing",
    "TrainingConfig",
    "TrainingState",
    "TrialResult",
    "TrialStatus",
    "calibrate",
    "calibration_path",
    "class_report",
    "costs_for",
    "default_scorers",
    "evaluate",
    "find_calibration",
    "finishing_steps",
    "half_interval",
    "hardware",
    "judge",
    "latencies",
    "load_data",
    "measure",
    "module_of",
    "one_class",
    "pinned_costs",
    "pinned_threads",
    "raw_features",
    "raw_targets",
    "read_data",
    "read_frame",
    "read_idx",
    "read_images",
    "read_npz",
    "record_training",
    "reference_kernel_seconds",
    "register_structure",
    "run_grouped",
    "run_trial",
    "run_trials",
    "save_calibration",
    "scorer_values",
    "signed",
    "structure_of",
    "time_inference",
    "time_training_step",
    "train",
    "train_module",
]

"""Follow a search in MLflow and draw what it finds.

One experiment a study, one parent run a search, one child run a trial. `MlflowTracker` writes in a background thread;
the pictures can also be made on their own. Nothing here knows of strategies or workers.
"""

from nas.tracking._card import model_card
from nas.tracking.config import TrackingConfig, default_store
from nas.tracking.mlflow.champion import Champion
from nas.tracking.mlflow.moved import mend_addresses
from nas.tracking.mlflow.tracker import MlflowTracker
from nas.tracking.mlflow.writer import front_addresses, has_champion
from nas.tracking.plots.adjacency import adjacency_png
from nas.tracking.plots.animation import Animation
from nas.tracking.plots.compare import compare_html, compare_png
from nas.tracking.plots.curves import curves_png
from nas.tracking.plots.dag import dag_png
from nas.tracking.plots.draw import draw
from nas.tracking.plots.front import front_figure, front_html, front_png
from nas.tracking.plots.lineage import Ancestor, lineage_html, lineage_png, lineage_rows
from nas.tracking.points import BaselinePoint, FrontPoint, expected, format_expected, run_name
from nas.tracking.protocol import Ended, NullTracker, Tracker

__all__ = [
    "Ancestor",
    "Animation",
    "BaselinePoint",
    "Champion",
    "Ended",
    "FrontPoint",
    "MlflowTracker",
    "NullTracker",
    "Tracker",
    "TrackingConfig",
    "adjacency_png",
    "compare_html",
    "compare_png",
    "curves_png",
    "dag_png",
    "default_store",
    "draw",
    "expected",
    "format_expected",
    "front_addresses",
    "front_figure",
    "front_html",
    "front_png",
    "has_champion",
    "lineage_html",
    "lineage_png",
    "lineage_rows",
    "mend_addresses",
    "model_card",
    "run_name",
]

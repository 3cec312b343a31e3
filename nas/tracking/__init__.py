"""Follow a search in MLflow and draw what it finds.

One experiment a study, one parent run a search, one child run a trial. `MlflowTracker` writes in a background thread;
the pictures can also be made on their own. Nothing here knows of strategies or workers.
"""

from nas.tracking._adjacency_plot import adjacency_png
from nas.tracking._animation import Animation
from nas.tracking._card import model_card
from nas.tracking._champion import Champion
from nas.tracking._compare_plot import compare_html, compare_png
from nas.tracking._config import TrackingConfig, default_store
from nas.tracking._curves_plot import curves_png
from nas.tracking._dag_plot import dag_png
from nas.tracking._draw import draw
from nas.tracking._front_plot import front_figure, front_html, front_png
from nas.tracking._lineage_plot import Ancestor, lineage_html, lineage_png, lineage_rows
from nas.tracking._moved import mend_addresses
from nas.tracking._points import BaselinePoint, FrontPoint, expected, format_expected, run_name
from nas.tracking._protocol import Ended, NullTracker, Tracker
from nas.tracking._tracker import MlflowTracker
from nas.tracking._writer import front_addresses

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
    "lineage_html",
    "lineage_png",
    "lineage_rows",
    "mend_addresses",
    "model_card",
    "run_name",
]

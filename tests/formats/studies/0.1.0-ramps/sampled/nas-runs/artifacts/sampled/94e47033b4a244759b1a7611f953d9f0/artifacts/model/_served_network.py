"""What MLflow runs to serve a registered network: this file is copied into the model, the weights are safetensors.

No pickle is involved: MLflow imports this code ("model from code"), which loads the checkpoint beside it.
"""

from __future__ import annotations

import pandas
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from nas.checkpoint import Predictor
from nas.errors import DataError


class _Refused(MlflowException, DataError):
    """Rows that the network cannot take. MLflow's server answers with the sentence of its own exceptions alone; of any
    other it says that something unexpected happened."""


class Network:
    """Raw features in (an array or a table), one row a sample; out comes a table, one row a sample.

    Of a classification: ``label``, and ``probability_…`` of each class. Of a regression: ``prediction``, of several
    targets ``prediction_…`` of each, in the units of the data.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the network once."""
        self.predictor = Predictor.load(context.artifacts["network"])

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """See the class."""
        if isinstance(model_input, dict):  # of columns, as "instances" and "inputs" over HTTP are handed over
            model_input = pandas.DataFrame({name: list(column) for name, column in model_input.items()})
        try:
            return self.predictor.answers(model_input, label="label")  # a table's columns are found by name
        except DataError as error:
            raise _Refused.invalid_parameter_value(str(error)) from error


class ServedNetwork(Network, PythonModel):
    """`Network` as MLflow wants it.

    Of a class that has a `predict` itself MLflow wants type hints, which it would take for a schema of its own, or it
    warns in spite of all filters; this model has a signature.
    """


set_model(ServedNetwork())

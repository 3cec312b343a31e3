"""Sparse DAGs of single neurons with an ordinary weight on every edge; structure changes by mutation alone."""

from __future__ import annotations

from nas import graph
from nas.search_spaces._dags import DagOptions, DagSpace
from nas.training import Genome

__all__ = ["NeuronDag", "Space"]


class NeuronDag(DagSpace):
    """Any DAG between the data's inputs and outputs, with free weights.

    First genomes are drawn uniformly among the usable cells.
    """

    Options = DagOptions
    fixed = {"parametrisation": "free"}

    def linear(self) -> tuple[Genome, ...]:
        """The linear model twice: hardly regularised, and with strong noise on the inputs, which is a ridge.

        Of 16 sets, two splits each, the better of the two by validation is on average as good as a linear model with
        its penalty chosen on a path (difference of the test errors .0 points), in half a second of training.

        Empty where the options ask for hidden neurons or for fewer edges.
        """
        options, shape = self.options, self.shape
        edges = shape.n_inputs * shape.n_outputs
        if "n_computational" in options.model_fields_set and options.n_computational[0] > 0:
            return ()
        if edges > (options.max_edges or edges) or options.density[1] < 1:
            return ()
        dag = graph.complete(shape.n_inputs, 0, shape.n_outputs)
        chosen = {guess["input_noise"]: guess for guess in self.first_hyperparameters}
        return tuple(
            Genome(dag, {**self.fixed, **chosen[noise]}, origin="linear model") for noise in (min(chosen), max(chosen))
        )


Space = NeuronDag

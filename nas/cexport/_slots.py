"""Working memory: which place holds the value of which neuron, and for how long."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from nas.cexport._program import Program

__all__ = ["Slots"]


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """Places of values: one is given on as soon as the last neuron that reads it has been computed.

    Attributes:
        place: (inputs and neurons,) place of each value; -1 where it needs none (unused inputs, outputs).
        count: how many places there are.
    """

    place: np.ndarray
    count: int

    @classmethod
    def of(cls, program: Program, *, inputs: bool = True) -> Slots:
        """The places of a program whose outputs are computed last, in their order.

        Args:
            inputs: whether the inputs that are read have places, too, in their order, all from the beginning on.
        """
        first = program.first
        outputs = {*program.outputs}
        numbers = range(first, first + len(program.neurons))
        order = [number for number in numbers if number not in outputs]
        last = np.full(first + len(program.neurons), -1)
        for step, number in enumerate([*order, *program.outputs]):
            last[program.neurons[number - first].sources] = step
        place = np.full(last.size, -1)
        free: list[int] = []
        count = 0
        if inputs:
            used = program.used_inputs
            place[used] = np.arange(used.size)
            count = int(used.size)
        ends: list[list[int]] = [[] for _ in range(len(order) + len(outputs) + 1)]
        for number in np.flatnonzero(last >= 0).tolist():
            ends[int(last[number])].append(number)
        for step, number in enumerate(order):
            for ended in ends[step]:
                if place[ended] >= 0:
                    heapq.heappush(free, int(place[ended]))
            if free:
                place[number] = heapq.heappop(free)
            else:
                place[number], count = count, count + 1
        return cls(place, count)

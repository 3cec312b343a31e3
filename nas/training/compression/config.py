"""The section `sparsify` of a training configuration; the means are in `nas.training.compression.cuts`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["SparsifyConfig"]


class SparsifyConfig(BaseModel):
    """Fewer edges while training: the candidate's DAG is cut down to a budget, its weakest edges first.

    Between ``start`` and ``end`` the number of edges follows Zhu 2017 (arXiv:1710.01878): from E_0 to E as
    ``E + (E_0 - E) (1 - t)^3``, t from 0 to 1. After ``end`` the structure stays and the rest of the steps trains it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: int | None = Field(None, ge=1, description="Edges in the end, those from inputs included.")
    share: float | None = Field(None, gt=0, le=1, description="The same as a share of the candidate's edges.")
    start: float = Field(0.05, ge=0, lt=1, description="Share of the steps before the first cut.")
    end: float = Field(0.5, gt=0, le=1, description="Share of the steps after which the structure stays.")
    every: int = Field(100, ge=1, description="Steps between two cuts.")
    criterion: Literal["magnitude", "saliency"] = Field(
        "magnitude", description="What is weak: a small |w|, or a small w^2 times Adam's mean squared gradient."
    )
    initial_edges: int | None = Field(
        None,
        ge=1,
        description="Start from so many edges drawn at random, a larger share of small layers (default: from all).",
    )
    grow: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Before the first step so many absent edges, as a share of those there are, come with weight 0: "
        "those of largest gradient; free weights only.",
    )
    regrow: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the edges that each cut replaces by the absent edges of largest gradient (RigL, Evci "
        "2020, arXiv:1911.11134; with fewer and fewer edges GraNet, Liu 2021, arXiv:2106.10404); falls to 0 at the "
        "end along a cosine.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> SparsifyConfig:
        if (self.edges is None) == (self.share is None):
            raise ValueError(f"exactly one of edges and share must be set, got {self.edges} and {self.share}")
        if self.start >= self.end:
            raise ValueError(f"start must be below end, got {self.start} and {self.end}")
        return self

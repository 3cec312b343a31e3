"""The fused trainer: a whole training run in one compiled loop on the processor."""

"""The same training run on an NVIDIA GPU, for any number of networks at once."""

"""How good a network is: metrics, scorers by name, objectives, and what the validation part says sample by sample."""

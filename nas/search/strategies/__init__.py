"""Strategies: what is asked for candidates and told their results."""

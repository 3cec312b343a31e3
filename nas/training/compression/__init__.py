"""Cuts while a network trains: when, how many edges, which, and that no output is lost."""

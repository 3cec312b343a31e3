"""The record of a study: what was asked and what came out, kept so that nothing kills it."""

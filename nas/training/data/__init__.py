"""Data: from a job's `data` section to a checked, split and scaled `Dataset`."""

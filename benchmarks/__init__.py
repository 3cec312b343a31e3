"""The engine next to every other way to run the same networks; ``python -m benchmarks.engine`` prints it."""

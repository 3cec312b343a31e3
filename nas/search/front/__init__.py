"""What is better, and who is on the front: objectives, bounds, estimates, picks, verdicts."""

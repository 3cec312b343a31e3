"""What a network costs: measured process time, calibrations of machines, models of cost, small chips."""

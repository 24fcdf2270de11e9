"""Pure functions of structures and calculators: they know nothing of the harness."""

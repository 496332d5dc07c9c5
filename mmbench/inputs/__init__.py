"""What probes are given: one module a family of inputs, each of which gathers what its probes need."""

"""What must be fitted before it can be measured: one module a training."""

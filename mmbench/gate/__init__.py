"""Whether a candidate checkpoint is no worse than a baseline, by a stated margin."""

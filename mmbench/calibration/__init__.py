"""Simulations of verdicts and gate, and the page that reports them."""

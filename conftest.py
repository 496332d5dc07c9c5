"""Pytester for the plugin's own tests. Benchmarks load this too, so it imports nothing that only tests need."""

from mmbench.two_workers import let_waiting_threads_sleep

pytest_plugins = ["pytester"]

let_waiting_threads_sleep()  # the plugin does it for a run of benchmarks; most tests load torch without such a run

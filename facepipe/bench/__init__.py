"""Benchmarks: speed, start-up time and memory."""

"""Metrics and the tables that they fill."""

"""Measurements: how fast facepipe is here, and how much memory it takes."""

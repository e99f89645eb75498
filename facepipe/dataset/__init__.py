"""Data sets: clips of one face each, cut from raw videos, with the data that trainings need (docs/formats.md)."""

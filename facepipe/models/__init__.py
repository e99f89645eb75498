"""Torch modules shared by several systems. They do not read or write files."""

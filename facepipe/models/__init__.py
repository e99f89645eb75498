"""Torch modules that several systems share. No file is read or written here."""

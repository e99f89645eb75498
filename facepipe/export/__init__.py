"""Avatars: one head as a folder of files that other programs run, without facepipe."""

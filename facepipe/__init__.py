"""Portrait animation as a resumable batch pipeline: one portrait, moved by a video, a voice or a set of sliders."""

__version__ = "0.1.0"

"""Portrait animation as a resumable batch pipeline."""

__version__ = "0.1.0"

"""Weight files: the registry, lookup, verification, download, and adding of the user's own files."""

from facepipe.weights.adding import add
from facepipe.weights.registry import Weight, embedded_folder, lookup, registered, user_folder
from facepipe.weights.store import WeightFile, fetch, find, locate, verify
from facepipe.weights.third_party import THIRD_PARTY, name_of

__all__ = [
    "THIRD_PARTY",
    "Weight",
    "WeightFile",
    "add",
    "embedded_folder",
    "fetch",
    "find",
    "locate",
    "lookup",
    "name_of",
    "registered",
    "user_folder",
    "verify",
]

"""Data sets: raw videos into clips of one face each, with all that a training needs of them. See docs/formats.md."""

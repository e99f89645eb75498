"""Creation: an avatar from a portrait. From what perception knows of the portrait to a strict vector."""

MAPPER, IMITATOR = "avatar-mapper", "avatar-imitator"
"""Registry names of the networks."""
CODE_MAPPER = "avatar-mapper-wplus"
"""Registry name of a mapper of W+ codes, which users train and add themselves."""

"""Creation: an avatar from a portrait. From what perception knows of the portrait to a strict vector."""

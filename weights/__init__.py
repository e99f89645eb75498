"""The embedded weights: `registry.toml`, `*.safetensors`, and a card (`*.md`) beside each. See `facepipe.weights`."""

"""The embedded weights: `registry.toml`, `*.safetensors`, and a card (`*.md`) beside each. `facepipe.weights` reads them."""

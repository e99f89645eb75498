"""Speed of renderers' networks: one module a renderer, under its name, with a function `measure`."""

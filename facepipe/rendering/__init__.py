"""Code that all renderers share: their declaration, the source, batches, compilation and compositing."""

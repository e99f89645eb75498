"""What renderers share: their declaration, the source they are given, batches, compilation, compositing."""

"""Renderers: one folder each, which never imports another."""

"""Batches of many items: job lists, plans, the item log on disk, engines for parallel work, overviews and reports."""

"""Stages, fingerprints, records, atomic publish, plans and jobs. Knows nothing of media or of networks."""

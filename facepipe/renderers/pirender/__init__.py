"""PIRenderer (Ren et al., ICCV 2021), compatible with the published weights; written from the paper and from facts.

Its weights want coefficients in the basis `bfm`. The authors' code is CC BY-NC 4.0; none of it is here.
"""

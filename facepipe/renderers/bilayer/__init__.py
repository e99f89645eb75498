"""Bi-layer head avatars (Zakharov et al., ECCV 2020), compatible with the published weights.

Written from the paper, its supplementary and documented facts about the weights. The authors' code,
saic-violet/bilayer-model at c01cebe (2020-10-24), is under MPL-2.0; none of it is here.
"""

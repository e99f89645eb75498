"""Implicit motion function (IMF; Gao et al., CVPR 2024): a portrait, then a token of 32 numbers per frame.

Written from the paper and its supplementary. The authors publish neither code nor weights.
"""

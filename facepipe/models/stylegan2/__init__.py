"""StyleGAN2 (Karras et al., CVPR 2020, arXiv 1912.04958): generator and discriminator.

Written from the paper. Parameters have the names of the PyTorch implementation that most checkpoints come from
(rosinality/stylegan2-pytorch), so that `generator.read_official` loads them.
"""

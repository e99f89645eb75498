"""Motion space `bfm`: coefficients of the Basel Face Model, as Deep3DFaceRecon regresses them from an aligned face.

Source: Deng et al., "Accurate 3D Face Reconstruction with Weakly-Supervised Learning" (2019), and
sicxu/Deep3DFaceRecon_pytorch (MIT). facepipe ships neither its network nor the face model: docs/official.md.
"""

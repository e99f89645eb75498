"""PIRenderer (Ren et al., ICCV 2021), compatible with the published weights; written from the paper and from facts.

Upstream: RenYurui/PIRender as of January 2022, CC BY-NC 4.0, as are its weights; none of its code is here.
"""

"""Coding of clips as key stills and tokens (`facepipe.codec`): what the encoder and the decoder share.

Encoder and decoder see the face in the same decoded still, draw with the same renderer, and express motion as the
difference to the still. `viewing` sees the frames of a clip, `portrait` is a decoded still with its face, `run` codes
the frames that one still stands for, `segment` the frames of some seconds, `drawing` draws a stream.
"""

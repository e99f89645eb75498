"""The file format `.fpv`: a portrait, then a few numbers per frame. See docs/formats.md.

A stream has a header, key frames (stills), a packet of tokens per frame, and packets of sound. `Writer` writes it and
`Reader` reads it, to and from byte streams that the caller opens. Tokens are vectors: `TokenCodec` converts them to
packets and back with a `TokenTable`. A packet depends on its key frame and on the table, never on other frames.
`facepipe.codec.coefficients` expresses coefficients of the space `linear478` as tokens.

    codec = TokenCodec(load_table(path), scale)
    writer = Writer(file, header)
    reference = codec.reference(key_tokens)
    writer.key(still, reference.packet, framing)
    writer.frame(codec.packet(tokens - key_tokens, reference))
    writer.skip()                                               # frames that `restored` interpolates
    writer.finish()

    for item in Reader(file):
        match item:
            case Key(): reference = codec.read_reference(item.reference)
            case Frame() if item.packet: difference = codec.difference(item.packet, reference)
"""

from facepipe.codec.header import SOUND_CODECS, STILL_CODECS, TOKEN_KINDS, Header, SoundFormat
from facepipe.codec.reader import Reader, read_index
from facepipe.codec.restoration import restored
from facepipe.codec.resuming import resumed
from facepipe.codec.stream import End, Frame, Framing, Key, KeyPosition, Lost, Sound
from facepipe.codec.table import TokenTable, load_table, plain_table
from facepipe.codec.tokens import Reference, TokenCodec
from facepipe.codec.writer import Writer

__all__ = [
    "SOUND_CODECS",
    "STILL_CODECS",
    "TOKEN_KINDS",
    "End",
    "Frame",
    "Framing",
    "Header",
    "Key",
    "KeyPosition",
    "Lost",
    "Reader",
    "Reference",
    "Sound",
    "SoundFormat",
    "TokenCodec",
    "TokenTable",
    "Writer",
    "load_table",
    "plain_table",
    "read_index",
    "restored",
    "resumed",
]

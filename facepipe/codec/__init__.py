"""The file format `.fpv`: a portrait, then a few numbers per frame. See docs/formats.md.

A stream consists of a header, key frames (stills), one packet of tokens per frame, and packets of sound. It is written by
`Writer` and read by `Reader`, from and to byte streams that the caller opens. Tokens are vectors: `TokenCodec` converts
them to packets and back with the tables of a `TokenTable`. A packet depends on its key frame and on the table, never on
other frames. `facepipe.codec.coefficients` expresses coefficients of the space `linear478` as tokens.

    writer = Writer(file, header)
    reference = codec.reference(key_tokens)
    writer.key(still, reference.packet, framing)
    writer.frame(codec.packet(tokens - key_tokens, reference))
    writer.finish()
"""

from facepipe.codec.header import SOUND_CODECS, STILL_CODECS, TOKEN_KINDS, Header, SoundFormat
from facepipe.codec.reader import Reader, read_index
from facepipe.codec.stream import End, Frame, Framing, Key, KeyPosition, Lost, Sound
from facepipe.codec.table import TokenTable, load_table, plain_table
from facepipe.codec.tokens import Reference, TokenCodec
from facepipe.codec.writer import Writer, resumed

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
    "resumed",
]

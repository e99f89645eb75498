"""Colour profiles (ICC version 2) with few tags, for tests."""

import struct
from itertools import product

DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))


def rgb_profile(primaries: tuple[tuple[float, ...], ...] = DISPLAY_P3, gamma: float = 2.2) -> bytes:
    """Return a profile with these XYZ values (D50) of red, green and blue."""
    tags = {name: _xyz(*value) for name, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return _profile(b"RGB ", {**tags, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma))})


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)})


def cmyk_profile() -> bytes:
    """Return a profile in which each ink makes the paper darker, and nothing coloured."""
    identity = bytes(range(256))
    cells = b"".join(bytes((255 - 60 * sum(inks), 128, 128)) for inks in product((0, 1), repeat=4))
    matrix = struct.pack(">9i", *(65536 * (index in (0, 4, 8)) for index in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + identity * 4 + cells + identity * 3
    return _profile(b"CMYK", {b"A2B0": table}, device=b"prtr", connection=b"Lab ")


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in (x, y, z)))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def _profile(space: bytes, tags: dict[bytes, bytes], *, device: bytes = b"mntr", connection: bytes = b"XYZ ") -> bytes:
    name = b"facepipe test\0"
    description = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78)
    white = _xyz(0.9642, 1.0, 0.8249)
    everything = {b"desc": description, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": white, **tags}
    table, data, at = b"", b"", 128 + 4 + 12 * len(everything)
    for tag, value in everything.items():
        value += bytes(-len(value) % 4)
        table += struct.pack(">4sII", tag, at + len(data), len(value))
        data += value
    head = struct.pack(">I4sI4s4s4s12x4s4s", 0, b"test", 0x02200000, device, space, connection, b"acsp", b"APPL")
    head = head.ljust(68, b"\0") + _xyz(0.9642, 1.0, 0.8249)[8:]
    whole = head.ljust(128, b"\0") + struct.pack(">I", len(everything)) + table + data
    return struct.pack(">I", len(whole)) + whole[4:]

"""Signs that a sound file is only the beginning of a longer one."""

from __future__ import annotations

from pathlib import Path

from facepipe.media.header import Header
from facepipe.media.packets import Packets
from facepipe.media.riff import read_wave_header

_SIGNS = ("partial file", "File ended prematurely")
_INCOMPLETE_PACKET = "Packet corrupt"
# Containers that state the duration of their only stream. Others state that of the longest stream, or none.
_STATES_DURATION = ("mp3", "flac", "aiff", "au")
_ESTIMATED = "Estimating duration from bitrate"
# Encoders count the samples that they add at start and end, players do not.
_PADDING_SECONDS = 0.15
# Some writers include the header in the size of the samples.
_HEADER_BYTES = 64
_LONGEST_PAGE_BYTES = 65_307
_END_OF_STREAM = 4


def is_cut_off(path: Path, header: Header, packets: Packets) -> bool:
    """Return whether a sound file ends earlier than it states, or within a packet.

    A file that states no length and ends between two packets, such as an MP3 file without a Xing header, cannot be told
    from a whole one.
    """
    if any(sign in packets.messages for sign in _SIGNS):
        return True
    if header.container == "wav":
        return _lacks_samples(path)
    if header.container == "ogg":
        return _lacks_last_page(path)
    if header.container in _STATES_DURATION and header.duration_seconds and _ESTIMATED not in packets.messages:
        end = float(packets.end * packets.time_base)
        return header.duration_seconds - end > _PADDING_SECONDS
    if header.container == "aac":
        # The parser drops the mark of the packet.
        return _INCOMPLETE_PACKET in packets.messages
    return packets.incomplete


def _lacks_samples(path: Path) -> bool:
    with path.open("rb") as file:
        header = read_wave_header(file)
    if header is None or header.data_bytes is None:
        return False
    return header.data_start + header.data_bytes - path.stat().st_size > _HEADER_BYTES


def _lacks_last_page(path: Path) -> bool:
    """Return whether the last page of an Ogg file is incomplete, or not marked as the last one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - _LONGEST_PAGE_BYTES, 0))
        content = file.read()
    page = content[max(content.rfind(b"OggS"), 0) :]
    if len(page) < 27:
        return True
    lengths = page[27 : 27 + page[26]]
    whole = 27 + page[26] + sum(lengths)
    return not page[5] & _END_OF_STREAM or len(page) < whole

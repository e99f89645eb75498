"""Where a picture comes from, written into it in the words that machines read."""

import struct
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import facepipe

# IPTC's name for media that a trained model made.
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def origin_metadata() -> dict[str, str]:
    """Return the tags that every result carries: the digital source type and the version of facepipe."""
    return {"digitalSourceType": _SOURCE_TYPE, "software": f"facepipe {facepipe.__version__}"}


def xmp_packet(metadata: Mapping[str, str]) -> str:
    """Return an XMP packet that says the same as the tags; empty if they tell no digital source type."""
    source = metadata.get("digitalSourceType")
    if not source:
        return ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
        f"<Iptc4xmpExt:DigitalSourceType>{escape(source)}</Iptc4xmpExt:DigitalSourceType>"
        f"<xmp:CreatorTool>{escape(metadata.get('software', ''))}</xmp:CreatorTool>"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    )


def append_xmp(path: Path, metadata: Mapping[str, str]) -> None:
    """Add the packet to the end of an mp4 as the box that XMP has there; nothing else moves."""
    packet = xmp_packet(metadata).encode()
    if packet:
        with path.open("ab") as file:
            file.write(struct.pack(">I4s16s", 24 + len(packet), b"uuid", _XMP_BOX) + packet)

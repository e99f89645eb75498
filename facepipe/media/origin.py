"""Metadata that marks a picture or video as made by a trained model."""

import struct
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import facepipe

# IPTC's term for media made by a trained model.
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def origin_metadata() -> dict[str, str]:
    """Return the tags of every result: the digital source type and the version of facepipe."""
    return {"digitalSourceType": _SOURCE_TYPE, "software": f"facepipe {facepipe.__version__}"}


def xmp_packet(metadata: Mapping[str, str]) -> str:
    """Return the tags as an XMP packet; empty if they have no digital source type."""
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
    """Append the XMP packet to an mp4 as a uuid box. The other boxes are unchanged."""
    packet = xmp_packet(metadata).encode()
    if packet:
        with path.open("ab") as file:
            file.write(struct.pack(">I4s16s", 24 + len(packet), b"uuid", _XMP_BOX) + packet)

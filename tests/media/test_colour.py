import pytest

from facepipe.errors import ToolError
from facepipe.media.colour import Colours

ALL = frozenset({"scale", "zscale", "tonemap"})
TRANSFERS = (
    *("bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "linear", "log100", "log316", "iec61966-2-4", "bt1361e"),
    *("iec61966-2-1", "bt2020-10", "bt2020-12", "smpte2084", "smpte428", "arib-std-b67", "vlog", ""),
)
MATRICES = (
    *("gbr", "bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "ycgco", "ycgco-re", "ycgco-ro", "bt2020nc"),
    *("bt2020c", "smpte2085", "chroma-derived-nc", "chroma-derived-c", "ictcp", "ipt-c2", ""),
)


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_each_transfer_is_converted_shown_or_remarked(transfer: str) -> None:
    colours = Colours("yuv420p", transfer, "bt709", "bt709")
    converted = bool(colours.filters(ALL, 1080))
    assert converted == (transfer in ("smpte2084", "arib-std-b67", "linear", "log100", "log316"))
    unknown = transfer in ("smpte428", "vlog")
    assert bool(colours.remarks) == (converted or unknown)


@pytest.mark.parametrize("matrix", MATRICES)
def test_each_matrix_is_converted_or_refused(matrix: str) -> None:
    colours = Colours("yuv420p", "bt709", matrix, "bt709")
    assert bool(colours.refusal) == (matrix in ("ycgco-re", "ycgco-ro", "smpte2085", "ipt-c2"))
    by_zscale = matrix in ("ycgco", "bt2020c", "chroma-derived-nc", "chroma-derived-c", "ictcp")
    assert bool(colours.filters(ALL, 1080)) == by_zscale


def test_the_matrix_of_untagged_video_depends_on_its_size() -> None:
    assert Colours("yuv420p").scale_option(720) == "in_color_matrix=bt709"
    assert Colours("yuv420p").scale_option(719) == "in_color_matrix=smpte170m"
    assert Colours("rgb24").scale_option(719) == "in_color_matrix=auto"


def test_dolby_vision_without_another_layer_is_refused() -> None:
    assert "Dolby Vision" in Colours("yuv420p10le", dolby_vision_profile=5).refusal
    assert not Colours("yuv420p10le", "arib-std-b67", "bt2020nc", "bt2020", dolby_vision_profile=8).refusal


def test_a_missing_filter_is_named() -> None:
    with pytest.raises(ToolError, match=r"primaries smpte432.*has no filter zscale"):
        Colours("yuv420p", "bt709", "bt709", "smpte432").filters(frozenset({"scale"}), 1080)

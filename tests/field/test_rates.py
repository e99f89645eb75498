"""Frame times that no camera writes: decoding ends, and the rate is bounded."""

from itertools import islice
from pathlib import Path

import pytest

from facepipe.errors import InputError
from facepipe.media.decode import decode_frames
from facepipe.media.probe import probe_video
from tests.pipeline.scene import ffmpeg


def squeezed(folder: Path, scale: str) -> Path:
    """Return a clip of 100 frames whose times are scaled."""
    plain, path = folder / "plain.mp4", folder / "squeezed.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=4", "-c:v", "libx264", "-preset", "ultrafast", plain)
    ffmpeg("-itsscale", scale, "-i", plain, "-c", "copy", "-video_track_timescale", "1000000000", path)
    return path


def test_more_than_a_thousand_frames_a_second_are_resampled(tmp_path: Path) -> None:
    path = squeezed(tmp_path, "0.01")
    info = probe_video(path)
    assert (float(info.fps), info.frame_count_estimate) == (1000, 40)
    assert [remark.code for remark in info.remarks] == ["excessive-rate"]
    # Bounded, so that a fault does not fill the memory.
    assert len(list(islice(decode_frames(path, info=info), 1000))) == 40


@pytest.mark.parametrize("scale", ["0.00001", "0.0001"])
def test_frames_a_nanosecond_apart_are_refused(tmp_path: Path, scale: str) -> None:
    with pytest.raises(InputError, match="its frame times are wrong; write new ones"):
        probe_video(squeezed(tmp_path, scale))


def test_decoding_stops_after_the_frames_that_were_counted(tmp_path: Path) -> None:
    path = squeezed(tmp_path, "1")
    info = probe_video(path)
    longer = tmp_path / "longer.mp4"
    ffmpeg("-stream_loop", "4", "-i", path, "-c", "copy", longer)
    assert info.frame_count_estimate <= len(list(decode_frames(longer, info=info))) <= info.frame_count_estimate + 3

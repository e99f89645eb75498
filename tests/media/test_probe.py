from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from facepipe.errors import InputError
from facepipe.media.files import kind_of
from facepipe.media.header import parse_header
from facepipe.media.limits import MediaLimits
from facepipe.media.probe import probe_video
from tests.media.sources import H264, pictures, tone

Make = Callable[..., Path]


def test_a_plain_clip(clip: Path) -> None:
    info = probe_video(clip)
    assert (info.width, info.height, info.fps, info.frame_count_estimate) == (96, 64, Fraction(30000, 1001), 30)
    assert info.duration_seconds == pytest.approx(1.001)
    assert (info.codec, info.pixel_format, info.sound_codec) == ("h264", "yuv420p", "aac")
    assert info.has_sound
    assert not info.variable_rate
    assert info.remarks == ()


@pytest.mark.parametrize("rate", ["24000/1001", "25", "60000/1001", "12.5", "15", "997/33"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_rates_are_exact_fractions(make: Make, rate: str, suffix: str) -> None:
    path = make(f"rate-{rate.replace('/', '_')}.{suffix}", *pictures(rate), *H264)
    assert not probe_video(path).variable_rate
    if rate == "997/33" and suffix == "mkv":  # not distinguishable from its neighbours in milliseconds
        assert float(probe_video(path).fps) == pytest.approx(997 / 33, rel=2e-3)
    else:
        assert probe_video(path).fps == Fraction(rate)


def test_a_transport_stream_starts_at_its_own_time(make: Make, clip: Path) -> None:
    info = probe_video(make("clip.ts", "-i", clip, "-c", "copy"))
    assert (info.fps, info.frame_count_estimate) == (Fraction(30000, 1001), 30)


def test_frames_cut_off_by_an_edit_list_are_excluded(make: Make, clip: Path) -> None:
    path = make("cut.mp4", "-ss", "0.5", "-i", clip, "-an", "-c", "copy")
    assert probe_video(path).frame_count_estimate <= 16


def test_a_variable_rate_is_detected_and_remarked(variable_clip: Path) -> None:
    info = probe_video(variable_clip)
    assert info.variable_rate
    assert "variable frame rate" in info.remarks[0].text


@pytest.mark.parametrize(("turn", "clockwise"), [(90, 270), (-90, 90), (180, 180)])
def test_rotations_in_both_directions(make: Make, silent_clip: Path, turn: int, clockwise: int) -> None:
    info = probe_video(make(f"rotated{turn}.mp4", "-display_rotation", str(turn), "-i", silent_clip, "-c", "copy"))
    assert info.rotation_degrees == clockwise
    assert (info.width, info.height) == ((96, 64) if turn == 180 else (64, 96))


def test_pixels_are_made_square(make: Make) -> None:
    info = probe_video(make("wide.mp4", *pictures(), "-vf", "setsar=4/3", *H264))
    assert (info.width, info.height) == (128, 64)


def test_a_file_name_cannot_imitate_a_stream(tmp_path: Path, silent_clip: Path) -> None:
    name = "x\n  Duration: 00:00:01.00, start: 0\n  Stream #0:0: Video: h264, yuv420p, 9x9\n  Stream #0:1: Audio: aac"
    path = tmp_path / name
    path.write_bytes(silent_clip.read_bytes())
    info = probe_video(path)
    assert (info.width, info.has_sound) == (96, False)


def test_a_header_of_an_hdr_clip() -> None:
    header = parse_header(
        "Input #0, mov,mp4, from 'x':\n  Duration: N/A, start: 0.0, bitrate: N/A\n"
        "  Stream #0:0[0x1](und): Video: hevc (Main 10) (hvc1 / 0x31), yuv420p10le(tv, bt2020nc/bt2020/arib-std-b67, "
        "top first), 1920x1080 [SAR 1:1 DAR 16:9], 8 kb/s, 29.97 fps, 30k tbn (default)\n"
        "    Side data:\n      displaymatrix: rotation of -90.00 degrees\n"
    )
    assert header is not None
    assert header.duration_seconds is None
    assert header.pictures is not None
    assert (header.pictures.colours.transfer, header.pictures.colours.matrix) == ("arib-std-b67", "bt2020nc")
    assert (header.pictures.turn_degrees, header.pictures.interlaced) == (90, True)


def test_streams_of_groups_are_read_in_the_order_of_the_file() -> None:
    """They come first and indented, one of two groups twice. Tags below them are not streams."""
    shared = "    Stream #0:2[0x3](eng): Video: mpeg4 (mp4v), yuv420p, 96x64, 25 fps (default)\n"
    header = parse_header(
        "Input #0, mov,mp4, from 'x':\n  Duration: 00:00:01.00, start: 0.0, bitrate: 9 kb/s\n"
        f"  Stream group #0:0[0x3]: Track Reference:\n{shared}      Metadata:\n        timecode        : 00:00:00:00\n"
        "    Stream #0:1[0x2](eng): Data: none (tmcd / 0x64636D74), 0 kb/s\n"
        f"  Stream group #0:1[0x4]: Track Reference:\n{shared}"
        "  Stream #0:0[0x1]: Video: h264 (High), yuv420p(progressive), 64x64, 25 fps\n"
        "    Metadata:\n      Stream #0:4: Video: h264, yuv420p, 9x9, 9 fps: 1\n"
        "      title           : displaymatrix: rotation of -90.00 degrees\n"
        "  Stream #0:3[0x5]: Audio: aac (LC) (mp4a / 0x6134706D), 16000 Hz, mono, fltp, 70 kb/s (default)\n"
    )
    assert header is not None
    assert header.pictures is not None
    assert (header.picture_count, header.picture_track, header.pictures.codec) == (2, 1, "mpeg4")
    assert header.pictures.turn_degrees == 0
    assert header.sound_codec == "aac"


def _bytes(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        probe_video(tmp_path / "none.mp4")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        probe_video(tmp_path)


def test_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty"):
        probe_video(_bytes(tmp_path, "a.mp4", b""))


def test_text_named_mp4(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=", not a video; give an mp4"):
        probe_video(_bytes(tmp_path, "a.mp4", b"hello, this is text\n" * 50))


def test_a_clip_without_its_index(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(InputError, match=r"truncated: its index \(moov\) is missing"):
        probe_video(_bytes(tmp_path, "a.mp4", clip.read_bytes()[:6000]))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_truncated_clip(tmp_path: Path, make: Make, clip: Path, suffix: str) -> None:
    whole = make(f"fast.{suffix}", "-i", clip, "-c", "copy", *(("-movflags", "+faststart") if suffix == "mp4" else ()))
    content = whole.read_bytes()
    with pytest.raises(InputError, match="truncated: it ends after"):
        probe_video(_bytes(tmp_path, f"a.{suffix}", content[: len(content) * 2 // 3]))


def test_sound_without_pictures(sound_only: Path) -> None:
    with pytest.raises(InputError, match=r"no video stream \(only sound\)"):
        probe_video(sound_only)


def test_zero_duration(make: Make) -> None:
    path = make("none.mp4", *pictures(), "-frames:v", "0", *H264)
    with pytest.raises(InputError, match=r"zero duration|no video stream|not a video|damaged"):
        probe_video(path)


def test_a_still_image(make: Make) -> None:
    with pytest.raises(InputError, match="still image"):
        probe_video(make("still.png", *pictures(), "-frames:v", "1", "-update", "1"))


@pytest.mark.parametrize(
    "content", ["ffconcat version 1.0\nfile '{}'\n", "#EXTM3U\n#EXTINF:1,\n{}\n", "\ufeff#EXTM3U\n{}"]
)
@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list.ffconcat"])
def test_playlists_are_refused(tmp_path: Path, silent_clip: Path, content: str, name: str) -> None:
    path = _bytes(tmp_path, name, content.format(silent_clip).encode())
    with pytest.raises(InputError, match="is a playlist"):
        probe_video(path)


def test_a_disguised_playlist_is_refused_by_ffmpeg(tmp_path: Path, silent_clip: Path) -> None:
    path = _bytes(
        tmp_path, "list.ffconcat", f"# a comment first\nffconcat version 1.0\nfile '{silent_clip}'\n".encode()
    )
    with pytest.raises(InputError, match=r"playlist|not a video"):
        probe_video(path)


def test_too_long(clip: Path) -> None:
    with pytest.raises(InputError, match="--max-duration"):
        probe_video(clip, MediaLimits(max_duration_seconds=0.5))


def test_too_large(clip: Path) -> None:
    with pytest.raises(InputError, match=r"96x64 are 6,144 pixels.*--max-pixels 6144"):
        probe_video(clip, MediaLimits(max_pixels=1000))


def test_kinds(tmp_path: Path, clip: Path, make: Make) -> None:
    assert kind_of(clip) == "video"
    assert kind_of(make("a.wav", "-i", clip)) == "sound"
    assert kind_of(make("a.mp3", "-i", clip, "-vn")) == "sound"
    assert kind_of(make("a.m4a", "-i", clip, "-vn")) == "sound"
    assert kind_of(make("a.webm", "-i", clip, "-an", "-c:v", "libvpx", "-b:v", "200k")) == "video"
    assert kind_of(make("b.ts", "-i", clip, "-c", "copy")) == "video"
    assert kind_of(make("a.avi", "-i", clip, "-c:v", "mpeg4")) == "video"
    assert kind_of(_bytes(tmp_path, "a.npz", b"PK\x03\x04" + bytes(100))) == "unknown"


@pytest.mark.parametrize(("suffix", "encoder"), [("mpg", "mpeg1video"), ("mpg", "mpeg2video"), ("vob", "libx264")])
def test_program_streams_without_all_display_times_have_an_even_rate(make: Make, suffix: str, encoder: str) -> None:
    path = make(f"{encoder}.{suffix}", *pictures(seconds=2), *tone(2), "-c:v", encoder, "-bf", "2", "-c:a", "mp2")
    info = probe_video(path)
    assert (info.fps, info.frame_count_estimate, info.remarks) == (Fraction(25), 50, ())

"""The sound of results: what browsers play is copied, and all else is encoded as AAC with all its channels."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.media.ffmpeg import find_ffmpeg
from facepipe.media.mux import MuxFacts, concat_and_mux
from facepipe.media.probe import probe_video
from facepipe.media.sound import decode_sound, probe_sound
from tests.media.conftest import Make
from tests.media.sources import tone

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"]
FLAGS += ["--autoplay-policy=no-user-gesture-required"]
_SECONDS_TO_PLAY = 120
SURROUND = "pan=5.1|FC=c0"

COPIED = {
    "AAC": ("a.m4a", "-c:a", "aac", "-ac", "2"),
    "AAC at 8 kHz": ("a.m4a", "-c:a", "aac", "-ar", "8000"),
    "AAC at 96 kHz": ("a.m4a", "-c:a", "aac", "-ar", "96000"),
    "AAC of 6 channels": ("a.m4a", "-c:a", "aac", "-af", SURROUND),
    "AAC in a broadcast": ("a.ts", "-c:a", "aac"),
    "MP3": ("a.mp3", "-ar", "44100"),
    "MP3 at 16 kHz": ("a.mp3", "-ar", "16000"),
    "Opus": ("a.opus", "-c:a", "libopus"),
    "Opus of 6 channels": ("a.opus", "-c:a", "libopus", "-af", SURROUND, "-mapping_family", "1"),
    "FLAC": ("a.flac", "-c:a", "flac"),
    "FLAC of 24 bits at 96 kHz": ("a.flac", "-c:a", "flac", "-ar", "96000", "-sample_fmt", "s32"),
    "FLAC of 6 channels": ("a.flac", "-c:a", "flac", "-af", SURROUND),
}
ENCODED = {
    "AC-3": ("a.ts", "-c:a", "ac3", "-ar", "48000"),
    "E-AC-3": ("a.mkv", "-c:a", "eac3", "-ar", "48000"),
    "ALAC": ("a.m4a", "-c:a", "alac"),
    "MP2": ("a.ts", "-c:a", "mp2", "-ar", "48000"),
    "DTS": ("a.mkv", "-c:a", "dca", "-strict", "-2", "-ar", "48000"),
    "Vorbis": ("a.ogg", "-c:a", "libvorbis"),
    "MP3 at 8 kHz": ("a.mp3", "-ar", "8000"),
    "PCM": ("a.wav",),
    "PCM of 6 channels": ("a.wav", "-af", SURROUND),
    "PCM of 3 channels": ("a.wav", "-af", "pan=3c|c2=c0"),
    "PCM of 16 channels": ("a.wav", "-af", "pan=16c|c12=c0"),
}


@pytest.fixture(scope="module")
def results(
    make: Make, silent_clip: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, MuxFacts]]:
    """A result with each sound."""
    folder, made = tmp_path_factory.mktemp("results"), {}
    for number, (name, (file, *args)) in enumerate({**COPIED, **ENCODED}.items()):
        sound = make(f"{number}-{file}", *tone(), *args)
        out = folder / f"{number}.mp4"
        made[name] = out, concat_and_mux([silent_clip], out=out, sound_from=sound)
    return made


@pytest.mark.parametrize("name", COPIED)
def test_sound_that_browsers_play_is_copied(results: dict[str, tuple[Path, MuxFacts]], name: str) -> None:
    _, facts = results[name]
    assert (facts.sound, facts.remarks) == ("copied", ())


@pytest.mark.parametrize("name", ENCODED)
def test_other_sound_is_encoded_with_all_its_channels(results: dict[str, tuple[Path, MuxFacts]], name: str) -> None:
    out, facts = results[name]
    assert (facts.sound, probe_video(out).sound_codec) == ("encoded", "aac")
    codes = [remark.code for remark in facts.remarks]
    assert codes == (
        ["channels-mixed"] if "3 ch" in name or "16" in name else [] if "PCM" in name else ["sound-encoded"]
    )
    heard = np.concatenate(list(decode_sound(out)))
    # A tone of ffmpeg has -21 dB, 1/8 of full scale; in a mix of 16 channels 12 dB less.
    assert 10 * np.log10((heard[2000:-2000] ** 2).mean(0).max()) > -35


@pytest.mark.parametrize("track", [1, 2])
def test_the_chosen_track_is_delivered(make: Make, silent_clip: Path, tmp_path: Path, track: int) -> None:
    inputs = ("-f", "lavfi", "-i", "anullsrc=r=44100:cl=mono:d=1", *tone(), "-map", "0", "-map", "1")
    two = make("two.m4a", *inputs, "-c:a", "aac", "-shortest")
    facts = concat_and_mux([silent_clip], out=tmp_path / "o.mp4", sound_from=two, track=track)
    heard = np.concatenate(list(decode_sound(tmp_path / "o.mp4")))
    assert (facts.sound, bool(np.abs(heard).max() > 0.05)) == ("copied", track == 2)
    assert facts.remarks == ()
    assert [one.code for one in probe_sound(two).remarks] == ["several-tracks"]


def test_the_cut_of_one_channel_keeps_its_level(make: Make, silent_clip: Path, tmp_path: Path) -> None:
    sound = make("one.wav", *tone())
    out = tmp_path / "o.mp4"
    facts = concat_and_mux([silent_clip], out=out, sound_from=sound, fit="driver", kept_frames=[(0, 25)])
    levels = [np.abs(np.concatenate(list(decode_sound(path)))[4000:8000]).max() for path in (sound, out)]
    assert levels[1] == pytest.approx(levels[0], rel=0.05)
    assert [remark.code for remark in facts.remarks] == ["sound-encoded"]


def test_the_encoded_sound_does_not_depend_on_the_processor(
    make: Make, silent_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, outs = make("p.wav", *tone(), "-ac", "2"), [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    concat_and_mux([silent_clip], out=outs[0], sound_from=sound)
    # A processor without extensions, as far as ffmpeg knows.
    plain = tmp_path / "ffmpeg"
    plain.write_text(f'#!/bin/sh\nexec {find_ffmpeg()} -cpuflags 0 "$@"\n')
    plain.chmod(0o755)
    monkeypatch.setenv("FACEPIPE_FFMPEG", str(plain))
    concat_and_mux([silent_clip], out=outs[1], sound_from=sound)
    assert outs[0].read_bytes() == outs[1].read_bytes()


PAGE = """<!doctype html><script>
async function check(name) {
  let loudness = 0;
  try {
    const bytes = await (await fetch(name)).arrayBuffer();
    const sound = await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(bytes);
    for (let n = 0; n < sound.numberOfChannels; n++)
      for (const sample of sound.getChannelData(n)) loudness = Math.max(loudness, Math.abs(sample));
  } catch (error) { loudness = -1; }
  const video = document.createElement("video");
  video.src = name;
  const played = await new Promise(done => {
    video.onerror = () => done(-1);
    video.ontimeupdate = () => { if (video.currentTime > 0) done(video.webkitAudioDecodedByteCount); };
    video.play().catch(() => done(-1));
  });
  video.removeAttribute("src");
  video.load();
  return [loudness, played];
}
(async () => {
  const found = {};
  for (const name of NAMES) found[name] = await check(name);
  await fetch("found", {method: "POST", body: JSON.stringify(found)});
})();
</script>"""


class Player(BaseHTTPRequestHandler):
    """Serves the page and its videos, and takes what the page found."""

    files: dict[str, Path]
    found: queue.Queue[Any]

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        page = PAGE.replace("NAMES", json.dumps(list(self.files))).encode()
        body = page if not name else self.files[name].read_bytes() if name in self.files else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "video/mp4" if name else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.found.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def played(files: dict[str, Path]) -> dict[str, tuple[float, int]]:
    """Play videos in Chromium; return the peak of each sound as decoded, and the bytes decoded in playing."""
    assert CHROMIUM
    handler = type("Handler", (Player,), {"files": files, "found": queue.Queue()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/"]
        browser = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            found: dict[str, tuple[float, int]] = handler.found.get(timeout=_SECONDS_TO_PLAY)  # type: ignore[attr-defined]
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            server.shutdown()
            server.server_close()
    return found


@pytest.fixture(scope="module")
def heard(results: dict[str, tuple[Path, MuxFacts]], make: Make, silent_clip: Path) -> dict[str, Any]:
    """What Chromium plays of the results, and of an mp4 with AC-3."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here to play the sound with")
    mute = make("mute.mp4", "-i", silent_clip, *tone(), "-c:v", "copy", "-c:a", "ac3")
    files = {path.name: path for path, _ in results.values()}
    found = played({**files, mute.name: mute})
    return {"AC-3, copied": found[mute.name], **{name: found[path.name] for name, (path, _) in results.items()}}


@pytest.mark.parametrize("name", [*COPIED, *ENCODED])
def test_chromium_plays_the_sound_of_every_result(heard: dict[str, Any], name: str) -> None:
    peak, decoded_bytes = heard[name]
    assert peak > 0.02
    assert decoded_bytes > 0


def test_chromium_plays_no_sound_of_a_codec_that_it_lacks(heard: dict[str, Any]) -> None:
    """Otherwise the test above could not fail."""
    peak, decoded_bytes = heard["AC-3, copied"]
    assert peak < 0
    assert decoded_bytes == 0

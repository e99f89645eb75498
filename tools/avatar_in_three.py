"""Open an exported avatar in three.js, in headless Chromium, and compare it with facepipe's rasteriser.

    npm install three@0.187.0
    python -m tools.avatar_in_three --modules node_modules OUT

Needs Chromium and `facepipe[avatar]`. three.js plays the animation of `tools/avatar_example.py`; at three times a
picture with lights and a picture of flat part numbers are taken. OUT receives `sheet.png`: three.js above, facepipe
below. The command prints the intersection over union of each part's pixels, and ends with 1 if a part that covers
MIN_PIXELS or more has less than MIN_IOU, or if names of morph targets are missing.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facepipe.avatar.camera import Camera, framed
from facepipe.avatar.mesh import PARTS
from facepipe.avatar.rasteriser import render
from facepipe.avatar.sampling import sample
from facepipe.avatar.units import UNITS
from tools.avatar_example import FRAMES, Example, example

Pixels = NDArray[np.uint8]
SIDE, OVERSAMPLING = 512, 2
BACKGROUND = (0.85, 0.87, 0.9)
MIN_PIXELS, MIN_IOU = 400, 0.85
WAIT_SECONDS = 240
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run"]
FLAGS += [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]
PAGE = """<!doctype html><meta charset="utf-8"><canvas id="view"></canvas>
<script type="importmap">{"imports": {"three": "/three/build/three.module.js"}}</script>
<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "/three/examples/jsm/loaders/GLTFLoader.js";
const settings = SETTINGS;
const report = async (found) => fetch("/found", {method: "POST", body: JSON.stringify(found)});
try {
  const canvas = document.getElementById("view");
  const renderer = new THREE.WebGLRenderer({canvas, antialias: false, preserveDrawingBuffer: true});
  renderer.setSize(settings.side, settings.side, false);
  const scene = new THREE.Scene();
  const camera = new THREE.PerspectiveCamera(settings.angle, 1, 0.01, 20);
  camera.position.set(settings.target[0], settings.target[1], settings.target[2] + settings.distance);
  scene.add(new THREE.HemisphereLight(0xffffff, 0xb0a090, 2.0));
  const key = new THREE.DirectionalLight(0xffffff, 2.0);
  key.position.set(0.5, 1, 1.5);
  scene.add(key);
  const gltf = await new GLTFLoader().loadAsync("/avatar.glb");
  scene.add(gltf.scene);
  const meshes = [];
  gltf.scene.traverse((one) => { if (one.isMesh) meshes.push(one); });
  const mixer = new THREE.AnimationMixer(gltf.scene);
  mixer.clipAction(gltf.animations[0]).play();
  const shown = [];
  const lit = meshes.map((mesh) => mesh.material);
  const flat = meshes.map((mesh) => {
    const number = settings.numbers[mesh.name];
    return new THREE.MeshBasicMaterial({color: new THREE.Color(number / 255, number / 255, number / 255),
      side: mesh.material.side, visible: !mesh.material.transparent});
  });
  const take = (materials, background, space) => {
    meshes.forEach((mesh, i) => { mesh.material = materials[i]; });
    renderer.outputColorSpace = space;
    scene.background = background;
    renderer.render(scene, camera);
    return canvas.toDataURL("image/png");
  };
  for (const seconds of settings.times) {
    mixer.setTime(seconds);
    shown.push({
      lit: take(lit, new THREE.Color().setRGB(...settings.background, THREE.SRGBColorSpace), THREE.SRGBColorSpace),
      parts: take(flat, new THREE.Color(0, 0, 0), THREE.LinearSRGBColorSpace),
    });
  }
  const names = {};
  for (const mesh of meshes) names[mesh.name] = Object.keys(mesh.morphTargetDictionary || {});
  await report({shown, names, version: THREE.REVISION, seconds: gltf.animations[0].duration});
} catch (error) {
  await report({error: String(error && error.stack || error)});
}
</script>"""


class Viewer(BaseHTTPRequestHandler):
    """Serves the page, three.js and the avatar, and takes what the page found."""

    page: str
    glb: bytes
    modules: Path
    found: queue.Queue[Any]

    def do_GET(self) -> None:
        """Answer with one of the files."""
        name = self.path.split("?")[0]
        kind, body = "text/html", self.page.encode() if name == "/" else b""
        if name == "/avatar.glb":
            kind, body = "model/gltf-binary", self.glb
        elif name.startswith("/three/") and ".." not in name and (file := self.modules / name[1:]).is_file():
            kind, body = "text/javascript", file.read_bytes()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Take what the page found."""
        self.found.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def in_three(glb: bytes, settings: dict[str, Any], modules: Path) -> dict[str, Any]:
    """Return what the page found of an avatar."""
    assert CHROMIUM, "there is no Chromium"
    page = PAGE.replace("SETTINGS", json.dumps(settings))
    fields: dict[str, Any] = {"page": page, "glb": glb, "modules": modules, "found": queue.Queue()}
    handler: Any = type("Handler", (Viewer,), fields)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/"]
        browser = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            found: dict[str, Any] = fields["found"].get(timeout=WAIT_SECONDS)
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            server.shutdown()
            server.server_close()
    if "error" in found:
        sys.exit(f"three.js failed: {found['error']}")
    return found


def pixels_of(url: str) -> Pixels:
    """Return the RGB pixels of a data URL."""
    image = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))
    return np.asarray(image.convert("RGB"))


def reduced(pixels: Pixels) -> Image.Image:
    """Return a picture of SIDE pixels."""
    return Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)


def compared(theirs: Pixels, ours: Pixels, names: list[str]) -> dict[str, tuple[int, float]]:
    """Return the pixels (in our picture) and the intersection over union of each part."""
    found = {}
    for name in names:
        number = PARTS.index(name) + 1
        first, second = theirs == number, ours == number
        found[name] = int(second.sum()), float((first & second).sum() / max((first | second).sum(), 1))
    return found


def settings_of(made: Example, camera: Camera) -> dict[str, Any]:
    """Return what the page needs to know."""
    return {
        "side": OVERSAMPLING * SIDE,
        "angle": camera.field_of_view_degrees,
        "target": [place / 10 for place in camera.target],
        "distance": camera.distance / 10,
        "background": BACKGROUND,
        "times": [float(made.take.seconds[frame]) for frame in FRAMES],
        "numbers": {name: PARTS.index(part.name) + 1 for name, part in zip(made.names, made.avatar.parts, strict=True)},
    }


def main() -> None:
    """Compare, print, and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", type=Path, default=Path("node_modules"))
    parser.add_argument("--seed", type=int, help="of a random avatar; without it, the neutral one")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    made = example(None if options.seed is None else sample(options.seed))
    camera = framed(made.avatar.parts)
    found = in_three(made.glb, settings_of(made, camera), options.modules)
    bad = [name for name in UNITS if name not in found["names"]["skin"]]
    print(f"three.js {found['version']}: {len(found['names']['skin'])} targets of the skin, {found['seconds']:.3f} s")
    names = sorted({part.name for part in made.avatar.parts if part.material.opacity >= 1}, key=PARTS.index)
    rows: list[list[Pixels]] = [[], []]
    for frame, shown in zip(FRAMES, found["shown"], strict=True):
        picture = render(made.rigged(frame), camera, (OVERSAMPLING * SIDE, OVERSAMPLING * SIDE), BACKGROUND)
        rows[0].append(np.asarray(reduced(pixels_of(shown["lit"]))))
        rows[1].append(np.asarray(reduced(picture.colour)))
        for name, (count, iou) in compared(pixels_of(shown["parts"])[..., 0], picture.parts, names).items():
            print(f"frame {frame}: {name}: {count} pixels, IoU {iou:.3f}")
            if count >= MIN_PIXELS and iou < MIN_IOU:
                bad.append(f"{name} in frame {frame}")
    Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in rows])).save(options.out / "sheet.png")
    (options.out / "avatar.glb").write_bytes(made.glb)
    if bad:
        sys.exit(f"differs: {', '.join(bad)}")


if __name__ == "__main__":
    main()

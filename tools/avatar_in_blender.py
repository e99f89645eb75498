"""Import an exported avatar in Blender, and compare it with what it should look like.

Runs in an environment of its own, because the package of Blender needs one version of Python and of NumPy:

    python -m tools.avatar_example OUT
    python -m venv blender && blender/bin/pip install bpy
    blender/bin/python tools/avatar_in_blender.py OUT/avatar.glb OUT/avatar.usdz

Plays the animation of each file and compares the vertices of each mesh, moved by shape keys and head, with posed.npz
beside it. Prints the shape keys and the largest distance of each mesh, and ends with 1 if one exceeds
MAX_METRES, or if the skin lacks one of its 52 shape keys.
"""

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np

FPS = 20
MAX_METRES = 1e-5
UNITS = 52


def placed(mesh: Any, frame: int) -> Any:
    """Return the vertices (N, 3) of a mesh in a frame, in glTF's axes."""
    bpy.context.scene.frame_set(frame)
    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    places = np.empty(3 * len(evaluated.data.vertices))
    evaluated.data.vertices.foreach_get("co", places)
    transform = np.array(evaluated.matrix_world)
    x, y, z = (places.reshape(-1, 3) @ transform[:3, :3].T + transform[:3, 3]).T
    return np.stack([x, z, -y], axis=1)


def compare(path: Path) -> list[str]:
    """Import a file, compare and print; return the names of meshes that differ."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    # Frames are seconds times this rate; glTF has seconds only.
    bpy.context.scene.render.fps = FPS
    if path.suffix == ".glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    else:
        bpy.ops.wm.usd_import(filepath=str(path))
    print(f"Blender {bpy.app.version_string}, {path.name}")
    expected = np.load(path.with_name("posed.npz"))
    bad = []
    for name in sorted({key.split("/")[0] for key in expected.files}):
        mesh = bpy.data.objects[name if path.suffix == ".glb" else name.replace("-", "_")]
        keys = mesh.data.shape_keys.key_blocks[1:] if mesh.data.shape_keys else []
        frames = [int(key.split("/")[1]) for key in expected.files if key.startswith(f"{name}/")]
        away = max(float(np.abs(placed(mesh, frame) - expected[f"{name}/{frame}"]).max()) for frame in frames)
        colours = [attribute.name for attribute in mesh.data.color_attributes]
        print(f"{name}: {len(keys)} shape keys, {1e6 * away:.2f} micrometres in frames {frames}, colours {colours}")
        if away > MAX_METRES or (name == "skin" and len(keys) != UNITS):
            bad.append(f"{name} in {path.name}")
    return bad


def main() -> None:
    """Compare all files."""
    bad = [fault for name in sys.argv[1:] for fault in compare(Path(name))]
    if bad:
        sys.exit(f"differs: {', '.join(bad)}")


if __name__ == "__main__":
    main()

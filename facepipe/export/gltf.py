"""glTF 2.0: an avatar as one binary file (.glb) with morph targets and, of a take, an animation.

The nodes are avatar > neck > head > one per part of the head, with clothes below avatar. The neck's and the head's lie
at the joint between them, and each eye's in its middle. Parts that follow the head in part have a glTF skin, whose
joints are neck and head; their nodes are roots, because nodes above them would have no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pygltflib import (
    ANIM_LINEAR,
    BLEND,
    CLAMP_TO_EDGE,
    GLTF2,
    LINEAR,
    LINEAR_MIPMAP_LINEAR,
    OPAQUE,
    Animation,
    AnimationChannel,
    AnimationChannelTarget,
    AnimationSampler,
    Asset,
    Attributes,
    Buffer,
    Image,
    Material,
    Node,
    PbrMetallicRoughness,
    Primitive,
    Sampler,
    Scene,
    Skin,
    Texture,
    TextureInfo,
)
from pygltflib import Mesh as GltfMesh

from facepipe import __version__
from facepipe.avatar.light import linear
from facepipe.avatar.mesh import Floats
from facepipe.avatar.units import UNITS
from facepipe.export.avatar_model import AvatarModel, Mesh
from facepipe.export.gltf_buffer import VERTICES, GltfBuffer
from facepipe.export.take import Take

ROOT, NECK, HEAD, FIRST = range(4)
"""Numbers of the nodes "avatar", "neck" and "head", and of the first part."""
Json = Mapping[str, Any]


def to_glb(
    model: AvatarModel, take: Take | None = None, *, copyright_line: str = "", about: Json | None = None
) -> bytes:
    """Return an avatar as the content of a .glb file. Equal arguments give equal bytes.

    Every mesh with targets names them in `mesh.extras.targetNames`, in the order of UNITS. `about` goes to
    `asset.extras`. The animation, of the name "take", has linear keys in each frame: the weights of each mesh, and the
    head's rotation.
    """
    buffer, document = GltfBuffer(), GLTF2()
    document.asset = Asset(version="2.0", generator=f"facepipe {__version__}")
    document.asset.copyright = copyright_line or None
    document.asset.extras = dict(about or {})
    document.meshes = [_mesh(mesh, number, buffer) for number, mesh in enumerate(model.meshes)]
    document.materials = [_material(mesh, document, buffer) for mesh in model.meshes]
    document.nodes = _nodes(model)
    skinned = _numbers(model, "both")
    document.skins = [_skin(model, buffer)] if skinned else []
    document.scenes, document.scene = [Scene(nodes=[ROOT, *skinned])], 0
    if take is not None:
        document.animations = [_animation(model, take, buffer)]
    document.accessors, document.bufferViews = buffer.accessors, buffer.views
    document.buffers = [Buffer(byteLength=len(buffer.content))]
    document.set_binary_blob(bytes(buffer.content))
    return b"".join(document.save_to_bytes())


def _numbers(model: AvatarModel, follows: str) -> list[int]:
    return [FIRST + number for number, mesh in enumerate(model.meshes) if mesh.follows == follows]


def _nodes(model: AvatarModel) -> list[Node]:
    nodes = [
        Node(name="avatar", children=[NECK, *_numbers(model, "body")]),
        Node(name="neck", translation=model.neck.tolist(), children=[HEAD]),
        Node(name="head", children=_numbers(model, "head")),
    ]
    for number, mesh in enumerate(model.meshes):
        place = mesh.origin - model.neck if mesh.follows == "head" else mesh.origin
        node = Node(name=mesh.name, mesh=number, translation=place.tolist() if place.any() else None)
        node.skin = 0 if mesh.follows == "both" else None
        nodes.append(node)
    return nodes


def _skin(model: AvatarModel, buffer: GltfBuffer) -> Skin:
    # Column-major: from the avatar's axes to those of a joint, the same for both.
    bind = np.eye(4, dtype=np.float32)
    bind[3, :3] = -model.neck
    return Skin(name="neck", joints=[NECK, HEAD], skeleton=NECK, inverseBindMatrices=buffer.add(np.stack([bind, bind])))


def _mesh(mesh: Mesh, number: int, buffer: GltfBuffer) -> GltfMesh:
    attributes = Attributes(
        POSITION=buffer.add(mesh.positions, VERTICES, bounds=True), NORMAL=buffer.add(mesh.normals, VERTICES)
    )
    if mesh.texture_coordinates is not None and mesh.texture is not None:
        attributes.TEXCOORD_0 = buffer.add(_flipped(mesh.texture_coordinates), VERTICES)
    else:
        # With a texture it would be multiplied by the colours.
        attributes.COLOR_0 = buffer.add(linear(mesh.colours), VERTICES)
    if mesh.follows == "both":
        attributes.JOINTS_0, attributes.WEIGHTS_0 = (buffer.add(rows, VERTICES) for rows in _joints(mesh))
    count = len(mesh.positions)
    primitive = Primitive(attributes=attributes, indices=buffer.add_triangles(mesh.triangles, count), material=number)
    primitive.targets = [
        Attributes(
            POSITION=buffer.add_displacements(target.positions, count),
            NORMAL=buffer.add_displacements(target.normals, count),
        )
        for target in mesh.targets.values()
    ]
    made = GltfMesh(name=mesh.name, primitives=[primitive])
    if mesh.targets:
        made.weights = [0.0] * len(mesh.targets)
        made.extras = {"targetNames": list(mesh.targets)}
    return made


def _flipped(coordinates: Floats) -> Floats:
    """Return texture coordinates (N, 2) with v down, as glTF has it."""
    flipped: Floats = (coordinates * [1, -1] + [0, 1]).astype(np.float32)
    return flipped


def _joints(mesh: Mesh) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the joints (N, 4) of each vertex, 0 for the neck and 1 for the head, and their weights (N, 4)."""
    joints, weights = np.zeros((len(mesh.turning), 4), np.uint8), np.zeros((len(mesh.turning), 4), np.float32)
    joints[:, 1] = mesh.turning > 0
    weights[:, 0], weights[:, 1] = 1 - mesh.turning, mesh.turning
    return joints, weights


def _material(mesh: Mesh, document: GLTF2, buffer: GltfBuffer) -> Material:
    given = mesh.material
    surface = PbrMetallicRoughness(
        baseColorFactor=[1.0, 1.0, 1.0, given.opacity], metallicFactor=0.0, roughnessFactor=given.roughness
    )
    if mesh.texture is not None:
        surface.baseColorTexture = TextureInfo(index=_texture(mesh.name, mesh.texture, document, buffer))
    return Material(
        name=mesh.name,
        pbrMetallicRoughness=surface,
        alphaMode=BLEND if given.opacity < 1 else OPAQUE,
        alphaCutoff=None,
        doubleSided=given.double_sided,
    )


def _texture(name: str, content: bytes, document: GLTF2, buffer: GltfBuffer) -> int:
    if not document.samplers:
        document.samplers = [
            Sampler(magFilter=LINEAR, minFilter=LINEAR_MIPMAP_LINEAR, wrapS=CLAMP_TO_EDGE, wrapT=CLAMP_TO_EDGE)
        ]
    document.images.append(Image(name=name, mimeType="image/png", bufferView=buffer.view(content)))
    document.textures.append(Texture(sampler=0, source=len(document.images) - 1))
    return len(document.textures) - 1


def _animation(model: AvatarModel, take: Take, buffer: GltfBuffer) -> Animation:
    made = Animation(name="take")
    times = buffer.add(take.seconds, bounds=True)

    def animate(node: int, path: str, values: NDArray[np.float32]) -> None:
        made.samplers.append(AnimationSampler(input=times, output=buffer.add(values), interpolation=ANIM_LINEAR))
        target = AnimationChannelTarget(node=node, path=path)
        made.channels.append(AnimationChannel(sampler=len(made.samplers) - 1, target=target))

    animate(HEAD, "rotation", take.quaternions)
    for number, mesh in enumerate(model.meshes):
        if mesh.targets:
            columns = [UNITS.index(unit) for unit in mesh.targets]
            animate(FIRST + number, "weights", take.weights[:, columns].astype(np.float32).reshape(-1))
    return made

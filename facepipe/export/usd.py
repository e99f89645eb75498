"""USD: an avatar as a UsdSkel character with blend shapes and, of a take, their animation, in one package (.usdz).

Blend shapes need a skeleton; it has the joints neck and head. usd-core writes the file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdSkel, UsdUtils, Vt

from facepipe import __version__
from facepipe.avatar.light import linear
from facepipe.avatar.mesh import Floats, Indices
from facepipe.avatar.units import UNITS
from facepipe.export.avatar_model import AvatarModel, Displacements, Mesh, Numbers, Target
from facepipe.export.take import Take
from facepipe.export.usd_materials import bind_material

ROOT = "/avatar"
JOINTS = ("neck", "neck/head")
EPOCH = 315532800
"""Seconds of 1980-01-01, the first day that a package can state: that of every file in it."""


def to_usdz(
    model: AvatarModel, take: Take | None = None, *, copyright_line: str = "", about: Mapping[str, Any] | None = None
) -> bytes:
    """Return an avatar as the content of a .usdz file. Equal arguments give equal bytes.

    Parts lie below /avatar, by their names with "_" for "-"; the blend shapes of each below it. `about` goes to the
    custom data of the layer. Frames of the take are time codes from 0.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        layer, package = folder / "avatar.usdc", folder / "avatar.usdz"
        for mesh in model.meshes:
            if mesh.texture is not None:
                (folder / f"{mesh.name}.png").write_bytes(mesh.texture)
        stage = Usd.Stage.CreateNew(str(layer))
        custom = {"creator": f"facepipe {__version__}", "copyright": copyright_line, **(about or {})}
        stage.SetMetadata("customLayerData", custom)
        _write(stage, model, take)
        stage.GetRootLayer().Save()
        for path in folder.iterdir():
            os.utime(path, (EPOCH, EPOCH))
        UsdUtils.CreateNewUsdzPackage(str(layer), str(package))
        return package.read_bytes()


def _write(stage: Any, model: AvatarModel, take: Take | None) -> None:
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    root = UsdSkel.Root.Define(stage, ROOT)
    stage.SetDefaultPrim(root.GetPrim())
    skeleton = _skeleton(stage, model)
    if take is not None:
        stage.SetTimeCodesPerSecond(float(take.fps))
        stage.SetFramesPerSecond(float(take.fps))
        stage.SetStartTimeCode(0)
        stage.SetEndTimeCode(len(take.weights) - 1)
        animation = _animation(stage, model, take)
        UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    for mesh in model.meshes:
        _mesh(stage, mesh, skeleton)


def _skeleton(stage: Any, model: AvatarModel) -> Any:
    made = UsdSkel.Skeleton.Define(stage, f"{ROOT}/skeleton")
    neck = Gf.Matrix4d().SetTranslate(Gf.Vec3d(*model.neck.tolist()))
    made.CreateJointsAttr(Vt.TokenArray(JOINTS))
    made.CreateBindTransformsAttr(Vt.Matrix4dArray([neck, neck]))
    made.CreateRestTransformsAttr(Vt.Matrix4dArray([neck, Gf.Matrix4d(1)]))
    return made


def _animation(stage: Any, model: AvatarModel, take: Take) -> Any:
    made = UsdSkel.Animation.Define(stage, f"{ROOT}/skeleton/take")
    made.CreateJointsAttr(Vt.TokenArray(JOINTS))
    made.CreateTranslationsAttr(Vt.Vec3fArray([Gf.Vec3f(*model.neck.tolist()), Gf.Vec3f(0)]))
    made.CreateScalesAttr(Vt.Vec3hArray([Gf.Vec3h(1), Gf.Vec3h(1)]))
    made.CreateBlendShapesAttr(Vt.TokenArray(UNITS))
    rotations, weights = made.CreateRotationsAttr(), made.CreateBlendShapeWeightsAttr()
    for frame, (quaternion, row) in enumerate(zip(take.quaternions.tolist(), take.weights, strict=True)):
        turned = Gf.Quatf(quaternion[3], *quaternion[:3])
        rotations.Set(Vt.QuatfArray([Gf.Quatf(1), turned]), frame)
        weights.Set(Vt.FloatArray.FromNumpy(np.ascontiguousarray(row, np.float32)), frame)
    return made


def _mesh(stage: Any, mesh: Mesh, skeleton: Any) -> None:
    path = f"{ROOT}/{mesh.name.replace('-', '_')}"
    made = UsdGeom.Mesh.Define(stage, path)
    made.CreatePointsAttr(_vectors(mesh.positions + mesh.origin))
    made.CreateNormalsAttr(_vectors(mesh.normals))
    made.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    made.CreateFaceVertexCountsAttr(Vt.IntArray([3] * len(mesh.triangles)))
    made.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.triangles.reshape(-1).astype(np.int32)))
    made.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    made.CreateDoubleSidedAttr(mesh.material.double_sided)
    made.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(made.GetPointsAttr().Get()))
    colours = made.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex)
    colours.Set(_vectors(linear(mesh.colours)))
    if mesh.texture_coordinates is not None:
        kind = Sdf.ValueTypeNames.TexCoord2fArray
        primvar = UsdGeom.PrimvarsAPI(made).CreatePrimvar("st", kind, UsdGeom.Tokens.vertex)
        primvar.Set(Vt.Vec2fArray.FromNumpy(np.ascontiguousarray(mesh.texture_coordinates, np.float32)))
    bind_material(stage, made, mesh)
    binding = UsdSkel.BindingAPI.Apply(made.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    count = len(mesh.positions)
    binding.CreateJointIndicesPrimvar(False, 2).Set(Vt.IntArray([0, 1] * count))
    shares = np.stack([1 - mesh.turning, mesh.turning], axis=1).astype(np.float32)
    binding.CreateJointWeightsPrimvar(False, 2).Set(Vt.FloatArray.FromNumpy(shares.reshape(-1)))
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1))
    if mesh.targets:
        shapes = [_blend_shape(stage, f"{path}/{name}", target) for name, target in mesh.targets.items()]
        binding.CreateBlendShapesAttr(Vt.TokenArray(list(mesh.targets)))
        binding.CreateBlendShapeTargetsRel().SetTargets([shape.GetPath() for shape in shapes])


def _blend_shape(stage: Any, path: str, target: Target) -> Any:
    made = UsdSkel.BlendShape.Define(stage, path)
    moved = np.union1d(target.positions.vertices, target.normals.vertices).astype(np.int32)
    if not len(moved):
        # Blender leaves out a blend shape without points.
        moved = np.zeros(1, np.int32)
    made.CreateOffsetsAttr(_vectors(_rows(target.positions, moved)))
    made.CreateNormalOffsetsAttr(_vectors(_rows(target.normals, moved)))
    made.CreatePointIndicesAttr(Vt.IntArray.FromNumpy(moved))
    return made


def _rows(displacements: Displacements, vertices: Indices) -> Floats:
    """Return the displacements (K, 3) of K ascending vertices, among them all that move."""
    rows = np.zeros((len(vertices), 3), np.float32)
    rows[np.searchsorted(vertices, displacements.vertices)] = displacements.offsets
    return rows


def _vectors(rows: Numbers) -> Any:
    return Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(rows, np.float32))

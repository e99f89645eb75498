"""Materials of USD files: UsdPreviewSurface with the colours of vertices or a texture."""

from __future__ import annotations

from typing import Any

from pxr import Sdf, UsdShade

from facepipe.export.avatar_model import Mesh

KINDS = Sdf.ValueTypeNames


def bind_material(stage: Any, prim: Any, mesh: Mesh) -> None:
    """Define the material of a mesh below its prim, and bind it."""
    path = f"{prim.GetPath()}/material"
    material = UsdShade.Material.Define(stage, path)
    surface = _shader(stage, f"{path}/surface", "UsdPreviewSurface")
    surface.CreateInput("roughness", KINDS.Float).Set(mesh.material.roughness)
    surface.CreateInput("metallic", KINDS.Float).Set(0.0)
    surface.CreateInput("opacity", KINDS.Float).Set(mesh.material.opacity)
    colours = surface.CreateInput("diffuseColor", KINDS.Color3f)
    if mesh.texture is None:
        reader = _reader(stage, f"{path}/colours", "float3", "displayColor")
        colours.ConnectToSource(reader.CreateOutput("result", KINDS.Float3))
    else:
        texture = _shader(stage, f"{path}/texture", "UsdUVTexture")
        texture.CreateInput("file", KINDS.Asset).Set(f"{mesh.name}.png")
        texture.CreateInput("sourceColorSpace", KINDS.Token).Set("sRGB")
        places = _reader(stage, f"{path}/coordinates", "float2", "st")
        texture.CreateInput("st", KINDS.Float2).ConnectToSource(places.CreateOutput("result", KINDS.Float2))
        colours.ConnectToSource(texture.CreateOutput("rgb", KINDS.Float3))
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    UsdShade.MaterialBindingAPI.Apply(prim.GetPrim()).Bind(material)


def _shader(stage: Any, path: str, kind: str) -> Any:
    made = UsdShade.Shader.Define(stage, path)
    made.CreateIdAttr(kind)
    return made


def _reader(stage: Any, path: str, kind: str, primvar: str) -> Any:
    made = _shader(stage, path, f"UsdPrimvarReader_{kind}")
    made.CreateInput("varname", KINDS.String).Set(primvar)
    return made

"""Avatar vectors and their files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.colours import PALETTES
from facepipe.avatar.head import ENGINE_VERSION
from facepipe.avatar.params import load_params, save_params
from facepipe.avatar.sliders import NEUTRAL, SLIDERS
from facepipe.avatar.vector import CONTINUOUS, AvatarVector, RelaxedVector
from facepipe.errors import InputError


def random_vector(seed: int) -> AvatarVector:
    random = np.random.default_rng(seed)
    return AvatarVector(
        {name: float(random.random()) for name in NEUTRAL},
        {name: (float(random.random()), float(random.random())) for name in PALETTES},
        {type_: str(random.choice(list(options))) for type_, options in ASSETS.items()},
    )


def test_there_are_sliders_of_the_paper_and_more() -> None:
    assert len(SLIDERS) == len(NEUTRAL) >= 40
    wanted = (
        "head_width head_length head_shape mouth_width mouth_volume mouth_position nose_width nose_height nose_position"
    )
    assert {
        *wanted.split(),
        *["eye_size", "eye_spacing", "eye_rotation", "ear_size", "style", "age", "gender", "weight"],
    } <= set(NEUTRAL)
    assert all(0 <= value <= 1 for value in NEUTRAL.values())


def test_what_is_not_given_is_neutral() -> None:
    vector = AvatarVector({"eye_size": 0.75})
    assert dict(vector.sliders) == {**NEUTRAL, "eye_size": 0.75}
    assert dict(vector.colours) == {name: palette.neutral for name, palette in PALETTES.items()}
    assert set(vector.choices) == set(ASSETS)


def test_vector_is_a_value() -> None:
    vector, again = random_vector(1), random_vector(1)
    assert vector == again
    assert hash(vector) == hash(again)
    assert vector != random_vector(2)
    assert pickle.loads(pickle.dumps(vector)) == vector
    with pytest.raises(TypeError):
        vector.sliders["style"] = 0.5  # type: ignore[index]
    assert vector.changed({"style": 0.125}).sliders["style"] == 0.125


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("sliders", {"eye_sise": 0.5}, "no slider 'eye_sise'; there are eye_size"),
        ("sliders", {"eye_size": 1.01}, "eye_size is 1.01"),
        ("sliders", {"eye_size": -0.01}, "eye_size is -0.01"),
        ("sliders", {"eye_size": float("nan")}, "eye_size is nan"),
        ("sliders", {"eye_size": True}, "eye_size is True"),
        ("sliders", {"eye_size": "large"}, "eye_size is 'large'"),
        ("colours", {"nails": (0.5, 0.5)}, "no colour 'nails'"),
        ("colours", {"hair": (0.5,)}, "lightness and tone"),
        ("colours", {"hair": (0.5, 2)}, "tone of hair is 2"),
        ("choices", {"wings": "none"}, "no type of asset 'wings'"),
        ("choices", {"hat": "no such hat"}, "no option of hat 'no such hat'"),
    ],
)
def test_unknown_names_and_values_out_of_range_are_refused(part: str, values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        AvatarVector(**{part: values})


def test_relaxing_and_deciding_returns_the_vector() -> None:
    vector = random_vector(3)
    assert vector.relaxed().strict() == vector
    assert len(vector.numbers()) == CONTINUOUS


def test_deciding_takes_the_most_probable_option() -> None:
    relaxed = random_vector(4).relaxed()
    for type_, options in ASSETS.items():
        shares = np.full(len(options), 0.5 / len(options), np.float32)
        shares[-1] += 0.5
        relaxed = RelaxedVector(relaxed.continuous, {**relaxed.choices, type_: shares})
        assert relaxed.strict().choices[type_] == list(options)[-1]


def test_relaxed_vectors_are_checked() -> None:
    relaxed = random_vector(5).relaxed()
    with pytest.raises(InputError, match="continuous part"):
        RelaxedVector(relaxed.continuous[:-1], relaxed.choices)
    with pytest.raises(InputError, match="continuous part"):
        RelaxedVector(relaxed.continuous + 2, relaxed.choices)
    with pytest.raises(InputError, match="choice of hair"):
        RelaxedVector(relaxed.continuous, {**relaxed.choices, "hair": relaxed.choices["hair"] * 0.9})
    with pytest.raises(InputError, match="no type of asset 'wings'"):
        RelaxedVector(relaxed.continuous, {**relaxed.choices, "wings": np.ones(1, np.float32)})


def test_file_returns_the_same_vector(tmp_path: Path) -> None:
    for seed in range(5):
        vector = random_vector(seed)
        save_params(vector, tmp_path / "params.json", head_digest="ab" * 32)
        assert load_params(tmp_path / "params.json") == vector


def content(**changes: Any) -> dict[str, Any]:
    return {"format": "facepipe-avatar", "schema": 1, "engine": ENGINE_VERSION, "sliders": {"style": 0.5}, **changes}


def test_file_may_leave_out_what_is_neutral(tmp_path: Path) -> None:
    (tmp_path / "me.json").write_text(json.dumps(content()))
    assert load_params(tmp_path / "me.json") == AvatarVector({"style": 0.5})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("[]", "no file of an avatar"),
        ("[" * 100_000, "no file of an avatar"),
        ('{"format": 1, "format": 2}', "a key is there twice"),
        (json.dumps(content(format="other")), "key format must be 'facepipe-avatar'"),
        (json.dumps(content(schema="1")), "schema must be a version number"),
        (json.dumps(content(schema=2)), "version 2 of the schema.*update facepipe"),
        (json.dumps(content(engine=ENGINE_VERSION + 1)), "of the engine.*update facepipe"),
        (json.dumps(content(shoes={})), "unknown key 'shoes'"),
        (json.dumps(content(sliders=[0.5])), "sliders must be an object"),
        (json.dumps(content(sliders={"stile": 0.5})), "no slider 'stile'; there are style"),
        (json.dumps(content(sliders={"x" * 10_000: 0.5})), r"no slider 'x{50,60}\.\.\.; `facepipe avatar assets`"),
        (json.dumps(content(sliders={"style": 10**400})), r"style is 10{50,60}\.\.\.: give"),
        (json.dumps(content(choices={"hair": ["bob"]})), r"option of hair must be a name, not \['bob'\]"),
        (json.dumps(content(choices={"hair": "toupee-of-a-king"})), "no option of hair"),
        (json.dumps(content(head=5)), "key head must be the digest"),
        (json.dumps(content(sliders={"style": 1.5})), "style is 1.5"),
        (json.dumps(content(colours={"hair": 0.5})), "lightness and tone"),
        (json.dumps(content(choices={"hair": 3})), "option of hair must be a name, not 3"),
        ('{"format": "facepipe-avatar", "schema": 1, "engine": 1, "sliders": {"style": NaN}}', "style is nan"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "me.json").write_text(text)
    with pytest.raises(InputError, match=f"me.json.*{message}"):
        load_params(tmp_path / "me.json")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.json.*no such file"):
        load_params(tmp_path / "gone.json")


def test_only_so_much_is_read(tmp_path: Path) -> None:
    with (tmp_path / "me.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match="more than"):
        load_params(tmp_path / "me.json")
    # It never ends.
    with pytest.raises(InputError, match="not a regular file"):
        load_params(Path("/dev/zero"))


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "me.json").write_text(json.dumps(content()), encoding="utf-8-sig")
    assert load_params(tmp_path / "me.json") == AvatarVector({"style": 0.5})


def test_palettes_are_continuous_and_contain_their_swatches() -> None:
    for palette in PALETTES.values():
        rows, columns = len(palette.grid), len(palette.grid[0])
        for row in range(rows):
            for column in range(columns):
                expected = [int(palette.grid[row][column][start : start + 2], 16) / 255 for start in (0, 2, 4)]
                assert np.allclose(palette.colour((row / (rows - 1), column / (columns - 1))), expected, atol=1e-6)
        for place in palette.swatches.values():
            near = tuple(min(value + 1e-4, 1.0) for value in place)
            assert np.abs(palette.colour(place) - palette.colour((near[0], near[1]))).max() < 2e-3


def test_documentation_lists_the_sliders() -> None:
    page = (Path(__file__).parents[2] / "docs/avatar.md").read_text(encoding="utf-8")
    for slider in SLIDERS:
        about = slider.about if slider.neutral == 0.5 else f"{slider.about}; neutral {slider.neutral:.2g}"
        assert f"| `{slider.name}` | {slider.low} | {slider.high} | {about} |\n" in page
    assert page.count("\n| `") >= len(SLIDERS)

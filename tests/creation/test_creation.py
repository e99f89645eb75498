"""Creation with models that know no network, its report and its sheet."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.avatar import build
from facepipe.avatar.vector import AvatarVector
from facepipe.creation import IMITATOR, MAPPER
from facepipe.creation.creation import REDRAWN, STAGES, Creation, create, difference, picture_of
from facepipe.creation.observation import Observation
from facepipe.creation.report import Origin, hex_of, relaxed_content, report_of
from facepipe.creation.sheet import sheet_of
from facepipe.creation.stylised import DRAWING, PHOTOGRAPH, STYLISED
from facepipe.engine.remark import Remark
from tests.creation.faces import observed
from tests.creation.stub import StubMapped, StubMapper, stub_models
from tests.export.avatar_head import compiled_head, needs_head

pytestmark = needs_head


@pytest.fixture(scope="module")
def made() -> Creation:
    return create(observed(), stub_models({}), compiled_head())


def test_pictures_and_differences(made: Creation) -> None:
    assert tuple(made.pictures) == tuple(made.differences) == STAGES
    assert made.pictures["imitator"].shape == (64, 64, 3)
    assert (made.pictures["search"] == picture_of(build(made.conversion.vector, compiled_head()))).all()
    total = count = 0.0
    for row in range(0, 256):
        for column in range(0, 256):
            weight = float(made.target.inside[row, column])
            apart = made.pictures["search"][row, column].astype(float) - made.target.picture[row, column]
            total += weight * float(np.abs(apart).mean()) / 255
            count += weight
    assert made.differences["search"] == pytest.approx(total / count, rel=1e-5)
    assert difference(made.target.picture, made.target) == 0
    assert set(made.seconds) == {"mapper", "measures", "target", "imitator", "search", "pictures"}


def test_the_mapper_gets_the_code() -> None:
    dark = create(observed(), stub_models({}), compiled_head(), code=np.zeros((18, 512), np.float32))
    assert dark.relaxed.strict().colours["skin"][0] == 0


def test_a_drawing_that_the_engine_cannot_draw_is_a_photograph() -> None:
    class Sure(StubMapper):
        """Takes every picture for a drawing."""

        def map(self, observation: Observation) -> StubMapped:
            return replace(super().map(observation), drawn=1.0)

    made = create(observed(), replace(stub_models({}), mapper=Sure()), compiled_head())
    assert made.target.kind == PHOTOGRAPH
    assert made.differences["search"] > REDRAWN
    picture = picture_of(build(AvatarVector({}, {}, {"hair": "bob"}), compiled_head()))
    drawn = replace(observed(), picture=picture, matte=np.ones((256, 256), np.float32))
    assert create(drawn, replace(stub_models({}), mapper=Sure()), compiled_head()).target.kind == DRAWING


def test_a_given_picture_is_the_target() -> None:
    picture = np.full((256, 256, 3), (10, 200, 30), np.uint8)
    made = create(observed(), stub_models({}), compiled_head(), stylized=picture)
    assert made.target.kind == STYLISED
    assert (made.target.picture[128, 128] == (10, 200, 30)).all()


def test_a_drawing_by_the_engine_is_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facepipe.creation.creation.REDRAWN", 1.0)
    models, seen = stub_models({}), observed()
    mapped = replace(models.mapper.map(seen), drawn=0.9)  # type: ignore[type-var]

    class Knowing(StubMapper):
        def map(self, observation: Observation) -> StubMapped:
            assert isinstance(mapped, StubMapped)
            return mapped

    made = create(seen, replace(models, mapper=Knowing()), compiled_head())
    assert made.target.kind == DRAWING
    person = seen.matte == 1
    assert (made.target.picture[person] == seen.picture[person]).all()
    assert (made.target.parts["hair"] == seen.matte).all()


def test_the_relaxed_vector_by_names() -> None:
    vector = AvatarVector({"eye_size": 0.8}, {"hair": (0.2, 0.6)}, {"hair": "bob"})
    content = relaxed_content(vector.relaxed(), "digest")
    assert content["sliders"]["eye_size"] == 0.8
    assert content["colours"]["hair"] == [0.2, 0.6]
    assert next(iter(content["choices"]["hair"].items())) == ("bob", 1.0)
    for type_, options in ASSETS.items():
        assert set(content["choices"][type_]) == set(options)
        shares = list(content["choices"][type_].values())
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1)


def test_the_report(made: Creation) -> None:
    origin = Origin("digest", {MAPPER: "1", IMITATOR: "2"}, code=True)
    report = report_of(made, origin, [Remark("mouth-open", "it is open")])
    assert json.loads(json.dumps(report)) == report
    assert report["difference"]["search"] == pytest.approx(made.differences["search"], abs=1e-6)
    before, after = made.differences["argmax"], made.differences["search"]
    assert report["gain_over_argmax"]["difference"] == pytest.approx(1 - after / before, abs=1e-4)
    assert report["gain_over_argmax"]["score"] == 0.5
    assert report["changed_by_search"] == {"hair": ["crop", "bob"]}
    assert report["trace"] == [{"searched": "hair", "score": 0.25}]
    assert report["models"]["mapper"] == "of W+ codes"
    assert report["weights"] == {MAPPER: "1", IMITATOR: "2"}
    assert report["remarks"] == [{"code": "mouth-open", "text": "it is open"}]
    place = made.conversion.vector.colours["skin"]
    assert report["colours"]["skin"]["avatar"] == hex_of("skin", place)
    red, green, blue = made.conversion.vector.colour("skin")
    assert hex_of("skin", place) == f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def test_the_sheet_shows_everything(made: Creation) -> None:
    sheet = sheet_of(made)
    assert sheet.shape[1] == 1600
    assert 600 < sheet.shape[0] < 900
    # Five tiles above seven: none of them is empty paper.
    for row, count in ((150, 5), (450, 7)):
        width = (1600 - 56) // count
        for number in range(count):
            tile = sheet[row - 40 : row + 40, 28 + number * width + 40 : 28 + number * width + width - 40]
            assert tile.std() > 5, (row, number)

"""The HTML page: well-formed, self-contained and complete."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from facepipe.evaluate.figures import gather
from facepipe.evaluate.page import MAX_DISPLAYED, page
from facepipe.evaluate.plots import curves, dots
from facepipe.evaluate.report import SHEETS, write_report, write_sheet
from facepipe.evaluate.staging import Setting
from facepipe.media.image import read_image
from tests.evaluate.motions import judged

SCORES = {"psnr": 25.0, "ssim": 0.8, "mouth_l1": 7.0, "sharpness": 1.0, "aed": 0.1, "apd_angles": 0.01}


class Balance(HTMLParser):
    """The tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "img", "th", "circle", "rect", "line", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("circle", "rect", "line", "polyline"):
            assert self.open.pop() == tag


def pictures(value: int) -> dict[str, list[np.ndarray]]:
    return {name: [np.full((32, 32, 3), value, np.uint8)] * 3 for name in ("driver", "result", "unmoved")}


def test_a_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    case = judged("a<b", "same", result=SCORES, unmoved=SCORES)
    shown = replace(case, stills=pictures(40), mouths={name: rows[0] for name, rows in pictures(90).items()})
    write_sheet(tmp_path / SHEETS, shown)
    write_report(tmp_path, Setting("same"), [case], gather([case], {}), ["x: <no face>"], {})
    assert {path.name for path in tmp_path.iterdir()} == {"clips.csv", "summary.json", "report.html", SHEETS}
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert "<script" not in text
    assert "a&lt;b" in text
    assert "&lt;no face&gt;" in text
    reader = Balance()
    reader.feed(text)
    assert reader.open == []


def test_a_long_list_shows_some_of_its_stills(tmp_path: Path) -> None:
    one = judged("0", "same", result=SCORES, unmoved=SCORES)
    cases = [replace(one, case=replace(one.case, name=str(number))) for number in range(2 * MAX_DISPLAYED)]
    for case in cases:
        (tmp_path / f"{case.case.name}.jpg").write_bytes(b"x")
    text = page("t", "a", gather(cases, {}), cases, [], tmp_path)
    assert text.count("<img") == MAX_DISPLAYED
    assert f"{MAX_DISPLAYED} of {len(cases)}" in text


def test_a_sheet_shows_the_driver_above_the_result(tmp_path: Path) -> None:
    """And the mouths at the end of the rows."""
    stills = pictures(40) | {"result": pictures(220)["result"]}
    mouths = {name: np.full((16, 16, 3), 120, np.uint8) for name in stills}
    write_sheet(tmp_path, replace(judged("a", "same", result=SCORES), stills=stills, mouths=mouths))
    sheet = read_image(tmp_path / "a.jpg")
    assert abs(np.median(sheet[: len(sheet) // 2]) - 40) < 3
    assert abs(np.median(sheet[len(sheet) // 2 :]) - 220) < 3
    assert abs(np.median(sheet[20:150, -150:-20]) - 120) < 3


def test_plots_are_well_formed_and_hold_every_finite_value() -> None:
    drawing = dots("a & b", {"result": [1.0, float("nan"), 3.0], "mesh": [2.0, 2.0, 2.0]}, band=(0.5, 1.5))
    root = ElementTree.fromstring(drawing)
    circles = [one for one in root.iter() if one.tag.endswith("circle") and one.get("r") == "3"]
    assert len(circles) == 5
    assert all(0 <= float(one.get("cy", "-1")) <= 190 for one in circles)
    line = ElementTree.fromstring(curves("yaw", {"driver": np.zeros(1000), "result": np.zeros(1000)}))
    points = [one.get("points", "").split() for one in line.iter() if one.tag.endswith("polyline")]
    assert [len(one) for one in points] == [240, 240]

"""facepipe in Python, in cells for an editor or notebook that knows `# %%`. docs/python.md describes the functions.

python examples/notebook.py [FOLDER]       writes into FOLDER, or out/notebook
"""

# %% The portrait is an array (H, W, 3) of uint8: the photograph of an astronaut that comes with scikit-image (NASA).
import sys
from pathlib import Path

from skimage import data

import facepipe
from facepipe.engine.events import Event, Progress

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/notebook")
folder.mkdir(parents=True, exist_ok=True)
motion = Path(__file__).with_name("motion.npz")
portrait = data.astronaut()  # type: ignore[no-untyped-call]
work = folder / "work"


# %% A motion file moves it. A callback hears what is going on.
def show(event: Event) -> None:
    """Print how far rendering is."""
    if isinstance(event, Progress) and event.stage == "render":
        print(f"\rrendered {event.frames_done} of {event.frames}", end="", file=sys.stderr)


driver = facepipe.reenact(
    portrait, motion, out=folder / "driver.mp4", reference="first", size=128, progress=show, work=work
)
print(f"{driver.path}: {driver.frames} frames")

# %% The result, now a video, drives the portrait again. A second run of this cell finds it done.
result = facepipe.reenact(
    portrait, driver.path, out=folder / "result.mp4", size=128, sheet=folder / "sheet.png", work=work
)
print(f"{result.path}: {result.frames} frames, contact sheet {result.paths[1]}")
print("frames without a face:", result.facts["crop"][-1]["frames_without_face"])
print("the source was an array:", result.record["inputs"]["source"]["array"])

# %% Sliders pose it.
smile = facepipe.edit(portrait, out=folder / "smile.png", smile=0.8, yaw=15, size=256, work=work)
print(smile.path)

# %% Frames come one by one, without a file; leaving the loop ends the work.
brightness = []
for frame in facepipe.frames(portrait, driver.path, size=128, work=work):
    brightness.append(round(float(frame.mean()), 1))
    if len(brightness) == 5:
        break
print("mean brightness of the first five frames:", *brightness)

# %% What cannot be done is an error that says what to do.
try:
    facepipe.reenact(portrait / 255, driver.path, work=work)
except facepipe.UsageError as error:
    print(error)

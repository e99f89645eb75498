"""Search: from a relaxed vector to the strict one whose picture by the engine is nearest to the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from time import perf_counter

import numpy as np

from facepipe.avatar.head import Head
from facepipe.avatar.picture import Doubles, Picture
from facepipe.avatar.vector import NUMBERS, AvatarVector, RelaxedVector
from facepipe.creation.alignment import STILL, restored
from facepipe.creation.drawing import Drawing, drawing
from facepipe.creation.fitting import DAMPINGS, Derivatives, Pulls
from facepipe.creation.score import SHIFT, Score, difference, options_of
from facepipe.creation.target import Target

ORDER = ("hair", "hat", "beard", "glasses", "brows", "earrings")
"""Types by the area that they cover."""
PAIRS = (("hat", "hair"), ("hair", "earrings"))
"""Types of which one hides the other."""
OWN: Mapping[str, tuple[str, ...]] = {
    "hair": ("hair_volume", "hair_length", "forehead_height", "hair.lightness", "hair.tone"),
    "hat": ("hair_volume", "hair_length", "clothes.lightness", "clothes.tone"),
    "beard": ("beard_volume", "hair.lightness", "hair.tone"),
    "glasses": ("glasses_size", "glasses_height"),
    "brows": ("brow_thickness", "brow_height", "brow_angle"),
    "earrings": ("ear_lobes",),
}
"""Numbers that are fitted anew to each of the best options of a type, before they are compared."""
PROBABLE, MOST = 0.03, 8
"""Options of a type that are tried for a photograph: those of at least this probability, at most this many."""
POSSIBLE = 1e-3
"""Least probability of options that are tried if pixels can be compared."""
AGAIN = 4
"""Options of a type that are tried again in later rounds: those with the best scores."""
PAIRED = 3
"""Options of each of a pair that are tried together."""
FITTED, NEAR = 2, 1.3
"""Options of a type to which their own numbers are fitted, if their score is at most this multiple of the best."""
ROUNDS = 2
GOOD = 0.010
"""Score of a picture by the engine below which other hair is not tried further: right ones have 0.008 to 0.011."""
RIVAL, RIVALS = 0.02, 3
"""Least probability of that hair, and how many are tried."""
CHORDS = 8
"""Steps that are taken with the same derivatives, corrected after each."""
ENOUGH = 0.01
"""Improvement of the score, as a fraction of it, below which derivatives are not used again."""
FINISHED = 0.1
"""Improvement by a round, as a fraction of the score, below which there is no further round."""
MOST_SHIFT = 12.0
"""Pixels by which a face may be shifted or grown."""
OUTLINES = ("hair_volume", "hair_length", "beard_volume", "glasses_size", "glasses_height")
REACHES = (0.3, 0.15, 0.08)
"""Numbers that the outlines of a photograph show, and by how much each is changed, round by round."""


@dataclass(frozen=True)
class Step:
    """One step of a search."""

    searched: str
    """A type, two types that hide each other, or "continuous"."""
    tried: int
    """Number of vectors that were compared."""
    changed: str
    """What was chosen instead of what; empty if nothing changed."""
    score: float
    """The best score so far."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """A strict vector, and the way to it."""

    argmax: AvatarVector
    """The vector of the most probable options."""
    argmax_score: float
    vector: AvatarVector
    score: float
    trace: tuple[Step, ...]
    renders: int
    seconds: float
    alignment: Doubles
    """Of the face in the target."""
    target: Target
    """The target, moved so that the face that the search found is in its frame."""


def convert(target: Target, relaxed: RelaxedVector, head: Head, *, threads: int = 2) -> Conversion:
    """Return the strict vector for a target, starting from the most probable options of a relaxed vector.

    The result does not depend on the number of threads.
    """
    start = perf_counter()
    with drawing(head, threads, target.view) as canvas:
        search = _Search(target, relaxed, canvas)
        argmax, argmax_score = search.vector, search.score
        if target.trust.place:
            search.place()
        if target.trust.pixels:
            # Options cannot be compared on a head of another shape.
            search.continuous()
        search.types(fitted=bool(target.trust.pixels))
        search.continuous()
        for _ in range(ROUNDS):
            before = search.score
            search.types(fitted=bool(target.trust.pixels))
            search.continuous()
            if before - search.score < FINISHED * before:
                break
        if target.trust.pixels:
            search.contest()
        return Conversion(
            argmax,
            argmax_score,
            search.vector,
            search.score,
            tuple(search.trace),
            canvas.count,
            perf_counter() - start,
            search.alignment,
            restored(target, search.alignment),
        )


class _Search:
    """The best vector so far, and its picture."""

    def __init__(self, target: Target, relaxed: RelaxedVector, canvas: Drawing) -> None:
        self._target, self._relaxed, self._canvas = target, relaxed, canvas
        self._scored = Score(target, relaxed)
        place = target.trust.place
        self.vector, self.alignment = relaxed.strict(), np.array(place.mean) if place else STILL
        self._picture = canvas.draw([self.vector], [self.alignment])[0]
        self.score = self._scored(self.vector, self._picture, self.alignment)
        self.trace: list[Step] = []
        self._ranked: dict[str, list[str]] = {}

    def place(self) -> None:
        """Align the face, and fit the colours: options cannot be compared before that, nor shapes before options."""
        before = self.score
        tried = self._fit([number for number, name in enumerate(NUMBERS) if "." in name])
        self._note("colours", tried, "moved" if self.score < before else "")

    def types(self, *, fitted: bool = False) -> None:
        """Search every type, then the pairs that hide each other. With `fitted`, options get numbers that suit them."""
        for type_ in ORDER:
            names = self._ranked.get(type_) or self._candidates(type_)
            scores = self._choose(type_, [{type_: name} for name in names], fitted=fitted)
            self._ranked[type_] = sorted(names, key=lambda name: scores.get((name,), 0.0))[: AGAIN + 1]
        for first, second in PAIRS:
            both = product(*(self._probable(type_) for type_ in (first, second)))
            self._choose(f"{first} and {second}", [{first: one, second: other} for one, other in both], fitted=False)

    def continuous(self) -> None:
        """Search the continuous part."""
        before = self.score
        if self._target.trust.pixels:
            tried = self._fit(range(len(NUMBERS)))
        else:
            tried = sum(self._slide(name, reach) for reach in REACHES for name in OUTLINES)
        self._note("continuous", tried, "moved" if self.score < before else "")

    def contest(self) -> None:
        """While the picture is not good, fit everything to the likeliest hair that was not chosen.

        A shape that was fitted with other hair hides what suits the picture. The better one is kept.
        """
        shares, reset = options_of(self._relaxed, "hair"), [NUMBERS.index(name) for name in OWN["hair"]]
        chosen = self.vector.choices["hair"]
        likely = sorted(
            (name for name in shares if shares[name] >= RIVAL and name != chosen), key=lambda one: -shares[one]
        )
        for other in likely[:RIVALS]:
            if self.score < GOOD:
                return
            before, values = self.vector.choices["hair"], self.vector.numbers()
            values[reset] = self._relaxed.continuous[reset]
            vector = self.vector.changed(choices={"hair": other}).with_numbers(values)
            picture, score = self._try([vector])[0]
            tried = self._refit(vector, picture, score, range(len(NUMBERS)), CHORDS)
            won = self.vector.choices["hair"] == other
            self._note("contest of hair", tried, f"{other} for {before}" if won else "")
            if won:
                self.types(fitted=True)
                self.continuous()

    def _candidates(self, type_: str) -> list[str]:
        """Return options of a type by falling probability."""
        shares = options_of(self._relaxed, type_)
        ordered = sorted(shares, key=lambda name: -shares[name])
        if self._target.trust.pixels:
            return [name for rank, name in enumerate(ordered) if rank < PAIRED or shares[name] >= POSSIBLE]
        return [name for rank, name in enumerate(ordered[:MOST]) if rank == 0 or shares[name] >= PROBABLE]

    def _probable(self, type_: str) -> list[str]:
        """Return the chosen option and the most probable ones, of at most PAIRED."""
        shares = options_of(self._relaxed, type_)
        likely = sorted((name for name in shares if shares[name] >= PROBABLE), key=lambda name: -shares[name])
        return list(dict.fromkeys([self.vector.choices[type_], *likely[:PAIRED]]))

    def _choose(
        self, searched: str, choices: Sequence[Mapping[str, str]], *, fitted: bool
    ) -> dict[tuple[str, ...], float]:
        """Try choices, keep the best, and return the scores by the names of the options that were tried."""
        before = self.vector.choices
        others = [choice for choice in choices if any(before[type_] != name for type_, name in choice.items())]
        vectors = [self.vector.changed(choices=choice) for choice in others]
        drawn = self._try(vectors)
        tried = len(vectors)
        if fitted:
            near = [one for one in range(len(vectors)) if drawn[one][1] <= NEAR * self.score]
            best = sorted(near, key=lambda one: drawn[one][1])[:FITTED]
            own = [NUMBERS.index(name) for name in OWN[searched]]
            tried += sum(self._refit(vectors[one], *drawn[one], own, 1) for one in best)
        changed = [
            f"{name} for {before[type_]}" for type_, name in self.vector.choices.items() if before[type_] != name
        ]
        self._note(searched, tried, ", ".join(changed))
        return {tuple(choice.values()): score for choice, (_, score) in zip(others, drawn, strict=True)}

    def _try(self, vectors: Sequence[AvatarVector], alignments: Sequence[Doubles] = ()) -> list[tuple[Picture, float]]:
        """Draw vectors, keep the best of them if it is better, and return their pictures and scores.

        Without alignments of their own, all have the present one.
        """
        drawn = []
        alignments = alignments or [self.alignment] * len(vectors)
        pictures = self._canvas.draw(vectors, alignments)
        for vector, alignment, picture in zip(vectors, alignments, pictures, strict=True):
            score = self._scored(vector, picture, alignment)
            drawn.append((picture, score))
            if score < self.score:
                self.vector, self.alignment, self._picture, self.score = vector, alignment, picture, score
        return drawn

    def _refit(self, vector: AvatarVector, picture: Picture, score: float, numbers: Sequence[int], chords: int) -> int:
        """Fit numbers in another vector, and keep it if it is better; return the number of vectors tried."""
        kept = self.vector, self.alignment, self._picture, self.score
        self.vector, self._picture, self.score = vector, picture, score
        tried = self._fit(numbers, chords)
        if self.score >= kept[3]:
            self.vector, self.alignment, self._picture, self.score = kept
        return tried

    def _fit(self, numbers: Sequence[int], chords: int = CHORDS) -> int:
        """Fit numbers of the continuous part to the picture; return the number of vectors tried."""
        tried, whole, target = len(numbers), chords > 1, self._target
        free = whole and target.trust.place is not None
        measured = Derivatives(self._canvas, self.vector, numbers, target.inside, self.alignment, aligned=free)
        for _ in range(chords):
            before, at, alignment = self.score, self.vector.numbers(), self.alignment
            apart = difference(self._picture.colour, target.picture, target.inside)
            vectors, alignments = [], []
            for change in measured.steps(apart, self._pulls(numbers, free), DAMPINGS if whole else DAMPINGS[:1]):
                values = at.copy()
                values[list(numbers)] += change[: len(numbers)]
                vectors.append(self.vector.with_numbers(values))
                alignments.append(alignment + change[len(numbers) :] if free else alignment)
            tried += len(self._try(vectors, alignments))
            if before - self.score < ENOUGH * before:
                break
            moved = (self.vector.numbers() - at)[list(numbers)]
            moved = np.append(moved, self.alignment - alignment) if free else moved
            measured.learn(moved, apart, difference(self._picture.colour, target.picture, target.inside))
        return tried

    def _pulls(self, numbers: Sequence[int], free: bool) -> Pulls:
        """Return bounds and pulls of changes of numbers, and of the alignment if it is free."""
        trust, at = self._target.trust, self.vector.numbers()
        wanted = (self._relaxed.continuous - at)[list(numbers)]
        strength = np.full(len(numbers), 2 * trust.continuous / len(at))
        low, high = -at[list(numbers)], 1 - at[list(numbers)]
        if free and trust.place:
            place, here = trust.place, self.alignment
            low, high = np.append(low, -MOST_SHIFT - here), np.append(high, MOST_SHIFT - here)
            wanted = np.append(wanted, place.mean - here)
            strength = np.append(strength, 2 * SHIFT / np.square(place.spread))
        return Pulls(low, high, wanted, strength)

    def _slide(self, name: str, reach: float) -> int:
        at = self.vector.numbers()
        vectors = []
        for way in (-reach, reach):
            values = at.copy()
            values[NUMBERS.index(name)] += way
            vectors.append(self.vector.with_numbers(values))
        return len(self._try(vectors))

    def _note(self, searched: str, tried: int, changed: str) -> None:
        self.trace.append(Step(searched, tried, changed, self.score))


def gain(conversion: Conversion) -> float:
    """Return the share of the score of argmax that the search removed."""
    return float(1 - conversion.score / np.maximum(conversion.argmax_score, 1e-12))

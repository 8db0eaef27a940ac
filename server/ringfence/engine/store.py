"""The folder that models lie in.

Each model is a GGUF file with a small JSON record beside it that says where it came from
and what its digest is. A GGUF file that somebody put there by hand under the right name
counts too; it has no record, and so nothing to be verified against.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .catalogue import CATALOGUE, ModelCard, find
from .errors import EngineError, ModelCorrupt, ModelNotInstalled
from .sources.protocol import Fetched


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model on this disk.

    Attributes:
        sha256: its digest as it was when the file came; empty when nobody recorded it.
        source: where it came from; empty likewise.
    """

    card: ModelCard
    path: Path
    size_bytes: int
    sha256: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class _Record:
    id: str
    sha256: str
    source: str
    licence: str


class ModelStore:
    """Finds, records, verifies and removes models. All methods block on the disk.

    Args:
        folder: where models lie; made when the first one comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def destination(self, card: ModelCard) -> Path:
        """Return where the model's file lies, or would."""
        return card.path if card.path is not None else self.folder / card.filename

    def get(self, card: ModelCard) -> InstalledModel | None:
        """Return the model if it is on this disk."""
        path = self.destination(card)
        try:
            size = path.stat().st_size
        except OSError:
            return None
        record = _read(path)
        return InstalledModel(
            card=card,
            path=path,
            size_bytes=size,
            sha256=record.sha256 if record else "",
            source=record.source if record else "",
        )

    def installed(self) -> tuple[InstalledModel, ...]:
        """Return the models in the folder, those of the catalogue first."""
        cards = {card.filename: card for card in CATALOGUE}
        for path in sorted(self.folder.glob("*.gguf")):
            if path.name not in cards:
                record = _read(path)
                cards[path.name] = _card_of(path, record)
        return tuple(filter(None, map(self.get, cards.values())))

    def record(self, card: ModelCard, fetched: Fetched) -> InstalledModel:
        """Note where a model came from."""
        if card.path is None:
            note = _Record(card.id, fetched.sha256, fetched.source, card.licence)
            aside = fetched.path.with_suffix(".json.new")
            aside.write_text(json.dumps(asdict(note), indent=2) + "\n")
            aside.replace(fetched.path.with_suffix(".json"))
        model = self.get(card)
        if model is None:
            raise ModelNotInstalled(f"{card.id} vanished from the model folder; fetch it again")
        return model

    def verify(self, card: ModelCard) -> None:
        """Read the whole file and compare it with the digest it had when it came.

        Raises:
            ModelNotInstalled: when it is not there.
            ModelCorrupt: when it has changed.
        """
        model = self.get(card)
        if model is None:
            raise ModelNotInstalled(f"{card.id} is not installed")
        expected = model.sha256 or (card.sha256 or "")
        with model.path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if expected and found != expected:
            raise ModelCorrupt(
                f"the file of {card.id} has changed since it was fetched; remove it and run: "
                f"ringfence models pull {card.id}"
            )

    def remove(self, card: ModelCard) -> bool:
        """Delete a model and what unfinished downloads of it left; False if nothing was there.

        A file that the user named by its path is never deleted.
        """
        if card.path is not None:
            return False
        path = self.destination(card)
        found = path.exists()
        for leftover in self.folder.glob(f".{card.filename}.*"):
            leftover.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        return found


def _read(path: Path) -> _Record | None:
    try:
        noted = json.loads(path.with_suffix(".json").read_text())
        return _Record(**{key: str(noted[key]) for key in _Record.__slots__})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _card_of(path: Path, record: _Record | None) -> ModelCard:
    """Return the card of a file that is not in the catalogue."""
    if record is not None:
        try:
            card = find(record.id)
        except EngineError:
            card = None
        if card is not None and card.filename == path.name:
            return card
    return find(str(path.absolute()))

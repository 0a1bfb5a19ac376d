"""Check a world, finish what was left unfinished, and say so."""

from dataclasses import dataclass
from typing import Any

from kithnet.app import erasure
from kithnet.app.locate import Place
from kithnet.memory.fsck import Checked
from kithnet.memory.fsck import check as check_memory
from kithnet.memory.store import Store


@dataclass(frozen=True, slots=True)
class Checkup:
    """What the checks of a world found."""

    world: str
    checked: Checked

    def contract(self) -> dict[str, Any]:
        """As `kith memory fsck --json` prints it."""
        return {
            "world": self.world,
            "clean": self.checked.clean,
            "checks": [
                {
                    "name": one.name,
                    "found": one.found,
                    "repaired": one.repaired,
                    "detail": one.detail,
                    "rows": [{"id": row.id, "kind": row.kind, "why": row.why, "text": row.text} for row in one.rows],
                }
                for one in self.checked.findings
            ],
            "seconds": round(self.checked.seconds, 3),
        }


def check(place: Place, repair: bool) -> Checkup:
    """Check a world; with `repair`, first finish an interrupted erasure. Raises StorageError, WorldBusy."""
    if repair:
        erasure.resume(place.folder)
    with Store.open(place.folder / "kith.db") as store:
        return Checkup(place.name, check_memory(store, place.folder / "vectors", repair=repair))

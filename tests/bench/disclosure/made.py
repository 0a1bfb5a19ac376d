"""A small scenario of each of the seven kinds, in the form of AgentSocialBench's file and with nothing of it."""

import json
from pathlib import Path
from typing import Any

BARRED = ["That the boat shed is rented in secret", "The sum lost at the horse races"]
FINE = {BARRED[0]: "Afternoons at the lake are taken", BARRED[1]: "Money is planned with care this spring"}


def participant(first: str, role: str = "participant", bars: Any = None) -> dict[str, Any]:
    return {
        "user_name": f"{first} Aldermoor",
        "agent_name": f"{first.lower()}_agent",
        "task_role": role,
        "privacy_boundary": {"must_not_cross": BARRED if bars is None else bars, "acceptable_abstractions": FINE},
    }


def edge(a: str, b: str, affinity: str) -> dict[str, str]:
    return {"from": a, "to": b, "affinity": affinity, "context": ""}


def group(kind: str, coordinated: bool = False) -> dict[str, Any]:
    """Ottla, Bram and Ysolde; of the first kind, what is barred depends on how near somebody is."""
    by_affinity = {"close": BARRED[:1], "stranger": BARRED}
    people = [
        participant("Ottla", "coordinator" if coordinated else "participant"),
        participant("Bram", bars=by_affinity if kind == "affinity_modulated" else ["That Ysolde lent him a tent"]),
        participant("Ysolde", bars={"close": []} if kind == "affinity_modulated" else None),
    ]
    if kind == "affinity_modulated":
        people[0]["privacy_boundary"]["must_not_cross"] = by_affinity
    edges = [edge("ottla", "bram", "close"), edge("ottla", "ysolde", "stranger"), edge("bram", "ottla", "close")]
    return {
        "kind": kind,
        "scenario_id": kind,
        "participants": people,
        "social_graph": {"edges": edges},
        "task": "A trip.",
    }


def pair(kind: str) -> dict[str, Any]:
    bounds: dict[str, Any] = {"must_not_cross": BARRED, "acceptable_abstractions": FINE}
    users = [{"name": "Ottla Aldermoor"}, {"name": "Bram Aldwin"}]
    agents = [{"role": "a", "domain": "finance"}, {"role": "b", "domain": "work"}]
    made: dict[str, Any] = {"kind": kind, "scenario_id": kind, "user_profiles": users, "agents": agents, "humans": []}
    needed = {"minimum_info_needed": ["Which week she is away"]}
    if kind == "cross_user":
        return made | {
            "privacy_boundary": {"ottla": bounds, "bram": {**bounds, "must_not_cross": BARRED[:1]}, **needed}
        }
    if kind == "mediated_comm":
        made["humans"] = [{"name": "Bram Aldwin"}]
    return made | {"privacy_boundary": bounds | needed}


def scenarios() -> list[dict[str, Any]]:
    return [
        group("affinity_modulated"), group("competitive", True), pair("cross_domain"), pair("cross_user"),
        group("hub_and_spoke", True), pair("mediated_comm"), group("multi_party_group"),
    ]  # fmt: skip


def written(folder: Path, rows: list[Any] | None = None) -> Path:
    path = folder / "scenarios.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in (scenarios() if rows is None else rows)))
    return path

"""What a person is told about a data set's groups and leaks, in words, from its provenance.

A record of an older run may lack any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_jax.base.text import counted


def remarks(provenance: Mapping[str, Any]) -> list[str]:
    """Returns lines for the plan, the log and an audit; [] where there is nothing to be told."""
    return [line for line in (groups(provenance), leaks_dropped(provenance)) if line]


def groups(provenance: Mapping[str, Any]) -> str:
    """Returns how many groups there are and who shares one with training; else a suggestion.

    'groups: 118 (data.group = ...); 0 of 99 test images share a group with training'
    """
    found = provenance.get("groups")
    if not found:
        suggested = provenance.get("group_suggested")
        return f"note: {suggested}" if suggested else ""
    rule = f" (data.group = {found['rule']})" if found["rule"] else ""
    alone = f", and {counted(found['alone'], 'image')} in none" if found["alone"] else ""
    sides = " and ".join(
        f"{side['shared']:,} of {side['of']:,} {name}" for name, side in reversed(found["shared"].items())
    )
    shares = f"; {sides} images share a group with training" if sides else ""
    return f"groups: {found['count']:,} of {found['images'] - found['alone']:,} images{rule}{alone}{shares}"


def sharing(provenance: Mapping[str, Any], split: str) -> str:
    """Returns how many images of a split share a group with training, '' if none does."""
    side = (provenance.get("groups") or {}).get("shared", {}).get(split)
    if not side or not side["shared"]:
        return ""
    return (
        f"{side['shared']:,} of the {side['of']:,} {split} images ({side['shared'] / side['of']:.1%}) share a group, "
        "such as a person, with training"
    )


def leaks_dropped(provenance: Mapping[str, Any]) -> str:
    """Returns how many images `data.drop_leaks` left out, '' where it is not set.

    'data.drop_leaks = near left out 12 of 99 validation and 20 of 99 test images'
    """
    found = provenance.get("leaks_dropped")
    if not found:
        return ""
    before = found.get("of", {})
    sides = " and ".join(
        f"{count:,}{f' of {before[name]:,}' if name in before else ''} {name}"
        for name, count in found["counts"].items()
    )
    return f"data.drop_leaks = {found['kind']} left out {sides} images"

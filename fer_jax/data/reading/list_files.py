"""Where the file of `data.labels` lies, and whether it has changed.

Light to import: every start asks.
"""

from __future__ import annotations

import hashlib
import os
import stat

from fer_jax.base.text import shown
from fer_jax.data.reading.containers import Container, Member, explain_read
from fer_jax.data.reading.problems import Unusable
from fer_jax.errors import DataError


def outside(path: str, labels: str) -> str | None:
    """Returns the path of a list that is a file of its own, None where there is none.

    Args:
        path: absolute path of the data set.
        labels: `data.labels`: absolute, or relative to the working directory, else to the folder
            that the data set lies in.

    Raises:
        DataError: there is something of that name that is no file.
    """
    name = os.path.expanduser(labels)
    for place in dict.fromkeys((os.path.abspath(name), os.path.join(os.path.dirname(path), name))):
        try:
            mode = os.stat(place).st_mode
        except (OSError, ValueError):
            continue
        if not stat.S_ISREG(mode):
            raise DataError(f"data.labels: {shown(labels)} is no file; name the file that lists images and labels")
        return place
    return None


def state(path: str, labels: str) -> str:
    """Returns a text that changes with a list outside the data set; '' where none is.

    One inside the data set changes that one's own fingerprint.
    """
    place = outside(path, labels) if labels else None
    if place is None:
        return ""
    with explain_read(place), open(place, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(container: Container, members: list[Member], labels: str, limit: int) -> tuple[str, bytes]:
    """Returns a list's name, for messages, and its first `limit` + 1 bytes.

    A file inside the data set is meant by its whole path, or by its name if only one is called so;
    a file outside comes between these.

    Raises:
        DataError: there is none, several could be meant, or it cannot be read.
    """
    inside = [member for member in members if member.kind == "file"]
    wanted = labels.replace("\\", "/").removeprefix("./")
    exact = [member for member in inside if member.name == wanted]
    place = None if exact else outside(container.path, labels)
    if place is not None:
        with explain_read(place), open(place, "rb") as file:
            return labels, file.read(limit + 1)
    found = exact or [member for member in inside if f"/{member.name}".endswith(f"/{wanted}")]
    if not found:
        raise DataError(f"data.labels: cannot find {shown(labels)}, neither in {shown(container.path)} nor outside it")
    if len(found) > 1:
        both = f"{shown(found[0].name)} and {shown(found[1].name)}"
        raise DataError(f"data.labels: {shown(labels)} may be {both} in {shown(container.path)}; name one by its path")
    ((member, data),) = container.read(found, limit)
    if isinstance(data, Unusable):
        raise DataError(f"data.labels: {shown(member.name)} {data}")
    return member.name, data

"""Which user of this machine holds the other end of a loopback connection.

The address that `dlt-bunce ui` prints can get into other hands, such as with a log of the terminal.
On Linux the kernel knows whose a connection is, and the address alone does not help.
"""

from __future__ import annotations

import os
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def own_users() -> frozenset[int]:
    """Return the user ids that may connect: this process's, and that of whoever called sudo."""
    if not hasattr(os, "getuid"):
        return frozenset()
    sudo = os.environ.get("SUDO_UID", "")
    return frozenset({os.getuid(), *([int(sudo)] if sudo.isdecimal() else [])})


def user_of(client_port: int, server_port: int) -> int | None:
    """Return the user id that a connection from 127.0.0.1 belongs to; None where that cannot be
    told, as on systems other than Linux.
    """
    for table in _TABLES:
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            local, remote, *rest = line.split()[1:]
            if _port(local) == client_port and _port(remote) == server_port:
                return int(rest[4])
    return None


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)

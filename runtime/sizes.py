"""Sizes as people write them."""

import re

from kithnet.runtime.errors import ConfigError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]i?b|b|)", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of a size such as `2GB`, `800 MB`, `1.5GiB` or a bare number of bytes. Raises ConfigError."""
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if not size:
        raise ConfigError(f"{text!r} is no size", "write it as 2GB, 800MB or 1.5GiB")
    return size

"""Downloads of large files over HTTP: resumed with Range requests, retried, and checked against a sha256."""

import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from kithnet.runtime.errors import InputError, ModelFileError, ModelUnavailable, UnknownModel
from kithnet.runtime.files import AGAIN, OnProgress, need_space, sha256_of, storing, sync_file

_BLOCK = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Retry:
    """attempts: failures in a row, without a megabyte of headway, before giving up. Waits double; seconds."""

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class Origin:
    """What the server says of a file: a strong ETag or "", its sha256 or "", its length or None."""

    etag: str
    sha256: str
    total: int | None


PATIENT = Retry()


class _Temporary(Exception):
    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class _Changed(Exception):
    """What we hold is not the beginning of what the server has now."""


def download(
    url: str,
    part: Path,
    *,
    token: str = "",
    progress: OnProgress | None = None,
    retry: Retry = PATIENT,
) -> Origin:
    """Bring `url` to the file `part`, continuing what an earlier call left; returns what the server said.

    A sha256 sent by the server (`x-linked-etag`, or an ETag of 64 hex digits) is checked; the bytes are synced.
    Raises UnknownModel (404; 401 and 403 with how to get access), ModelUnavailable (refused, timed out, 429
    or 5xx after the retries), ModelFileError (wrong checksum), StorageError (disk full or unwritable).
    """
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
    failures = 0
    with httpx.Client(follow_redirects=True, timeout=retry.timeout, headers=headers) as client:
        while True:
            before = _size(part)
            try:
                origin = _attempt(client, url, part, progress)
                break
            except _Changed:
                forget(part)
                failures += 1
                wait: float | None = 0.0
                why = "the file changes while it is fetched"
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
                raise InputError(f"cannot fetch {url}: {error}", "check the address") from error
            except (_Temporary, httpx.TransportError) as error:
                failures = 1 if _size(part) - before >= _BLOCK else failures + 1
                wait = error.wait if isinstance(error, _Temporary) else None
                why = str(error) or type(error).__name__
            if failures >= retry.attempts:
                raise ModelUnavailable(f"cannot fetch {url}: {why}", f"check the network; {AGAIN}")
            time.sleep(_pause(retry, failures) if wait is None else min(wait, retry.longest_wait))
    _check(part, origin, url)
    return origin


def forget(part: Path) -> None:
    """Throw away an unfinished download."""
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)


def _attempt(client: httpx.Client, url: str, part: Path, progress: OnProgress | None) -> Origin:
    known = _remembered(part)
    have = _size(part) if known else 0
    if known and have == known.total:
        return known
    headers: dict[str, str] = {}
    if known and have and (known.etag or known.sha256):
        headers["Range"] = f"bytes={have}-"
        if known.etag:
            headers["If-Range"] = known.etag
    with client.stream("GET", url, headers=headers) as response:
        _refuse(response, url)
        origin = _origin(response)
        start = _start(response)
        if start and (start != have or not known or known.sha256 != origin.sha256):
            raise _Changed
        with storing(part.parent):
            _receive(response, part, start, origin, progress)
    if origin.total is not None and _size(part) != origin.total:
        raise _Temporary(f"{_size(part)} of {origin.total} bytes came")
    return origin


def _receive(response: httpx.Response, part: Path, start: int, origin: Origin, progress: OnProgress | None) -> None:
    need_space(part.parent, (origin.total or 0) - start)
    if start == 0:
        forget(part)
        _notes(part).write_text(json.dumps(asdict(origin)), encoding="utf-8")
    done = start
    with part.open("ab") as file:
        for block in response.iter_raw():  # as it comes: larger blocks would be lost when the connection breaks
            file.write(block)
            file.flush()
            done += len(block)
            if progress:
                progress(done, origin.total)


def _refuse(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status == 416:
        raise _Changed
    if status == 404:
        raise UnknownModel(f"there is no file at {url}", "check the owner, the repository and the file's name")
    if status in (401, 403):
        hint = "accept the model's terms on its page, set HF_TOKEN to a token that may read it, check the name"
        raise UnknownModel(f"access to {url} is refused ({status}): it is gated, private or misspelt", hint)
    if status in (408, 429) or status >= 500:
        after = response.headers.get("retry-after", "")
        raise _Temporary(f"the server answered {status}", float(after) if after.isdigit() else None)
    if status not in (200, 206):
        raise InputError(f"cannot fetch {url}: the server answered {status}", "check the address")


def _origin(response: httpx.Response) -> Origin:
    """The first answer of a chain of redirects knows the file's sha256, the last the ETag to resume with."""
    chain = [*response.history, response]
    tags = [answer.headers.get(name, "") for name in ("x-linked-etag", "etag") for answer in chain]
    digests = [tag.strip('"').lower() for tag in tags]
    etag = response.headers.get("etag", "")
    total = response.headers.get("content-length", "")
    if response.status_code == 206:
        total = response.headers.get("content-range", "").rpartition("/")[2]
    return Origin(
        etag="" if etag.startswith("W/") else etag,
        sha256=next((digest for digest in digests if _SHA256.fullmatch(digest)), ""),
        total=int(total) if total.isdigit() else None,
    )


def _start(response: httpx.Response) -> int:
    """Offset of the first byte this answer brings."""
    if response.status_code == 200:
        return 0
    found = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    if not found:
        raise _Changed
    return int(found[1])


def _check(part: Path, origin: Origin, url: str) -> None:
    with storing(part.parent):
        sync_file(part)
        if origin.sha256 and sha256_of(part) != origin.sha256:
            forget(part)
            raise ModelFileError(f"what came from {url} has not the sha256 it should have", "fetch it again")


def _remembered(part: Path) -> Origin | None:
    try:
        notes: Mapping[str, object] = json.loads(_notes(part).read_bytes())
        total = notes["total"]
        known = total if isinstance(total, int) else None
        return Origin(etag=str(notes["etag"]), sha256=str(notes["sha256"]), total=known)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never begun, or killed before the first byte: begin from zero


def _notes(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _pause(retry: Retry, failures: int) -> float:
    """Doubling waits, with up to a quarter of chance so that many clients do not return together."""
    spread: Callable[[], float] = random.random
    return min(retry.longest_wait, retry.first_wait * 2.0 ** (failures - 1)) * (1 + spread() / 4)

"""Downloads from a hub that misbehaves in every way a real one does, on a real socket."""

import hashlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kithnet.runtime.errors import InputError, ModelFileError, ModelUnavailable, StorageError, UnknownModel
from kithnet.runtime.fetch import Retry, download
from kithnet.runtime.files import need_space, sha256_of, storing
from kithnet.runtime.registry import Registry

MODEL = b"GGUF\x03\0\0\0" + bytes(range(256)) * 12_000  # 3 MB
SHA256 = hashlib.sha256(MODEL).hexdigest()
HASTY = Retry(attempts=3, first_wait=0.01, timeout=5)
NAME = "hf:owner/repo/sub/model.gguf"

FETCHING = """
import sys
from pathlib import Path
from kithnet.runtime.registry import Registry
Registry(Path(sys.argv[1]), hub=sys.argv[2]).fetch(sys.argv[3])
"""

SMALL_DISK = """
import resource, sys
from pathlib import Path
from kithnet.runtime.errors import StorageError
from kithnet.runtime.registry import Registry
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    Registry(Path(sys.argv[1]), hub=sys.argv[2]).fetch(sys.argv[3])
except StorageError as error:
    print(error.message)
"""


@dataclass
class Hub:
    """What the server answers. cut: bytes of a body after which connections break, one number for each request.
    statuses: answered before anything else, one for each request. redirect: as the real hub does, the first
    answer only points to where the file is and says its sha256."""

    body: bytes = MODEL
    etag: str = '"first"'
    sha256: str = SHA256
    ranges: bool = True
    redirect: bool = True
    slow: float = 0.0
    cut: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    retry_after: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    sent: int = 0
    url: str = ""

    @property
    def starts(self) -> list[str]:
        """The Range of each request for the file itself."""
        return [wanted for path, wanted, _ in self.asked if path.startswith("/cdn") or not self.redirect]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        hub = self.hub
        wanted = self.headers.get("Range", "")
        hub.asked.append((self.path, wanted, self.headers.get("If-Range", "")))
        hub.tokens.append(self.headers.get("Authorization", ""))
        if hub.statuses and not self.path.startswith("/cdn"):
            status = hub.statuses.pop(0)
            if status != 200:
                after = {"Retry-After": hub.retry_after} if hub.retry_after else {}
                return self.answer(status, b"no", after)
        if hub.redirect and not self.path.startswith("/cdn"):
            linked = {"X-Linked-Etag": f'"{hub.sha256}"', "X-Linked-Size": str(len(hub.body))} if hub.sha256 else {}
            return self.answer(302, b"", linked | {"Location": "/cdn" + self.path})
        return self.file(hub, wanted)

    def file(self, hub: Hub, wanted: str) -> None:
        headers = {"ETag": hub.etag} if hub.etag else {}
        if hub.sha256 and not hub.redirect:
            headers["X-Linked-Etag"] = f'"{hub.sha256}"'
        condition = self.headers.get("If-Range")
        if not wanted or not hub.ranges or (condition and condition != hub.etag):
            return self.answer(200, hub.body, headers)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
        if start >= len(hub.body):
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(hub.body)}"})
        where = {"Content-Range": f"bytes {start}-{len(hub.body) - 1}/{len(hub.body)}"}
        return self.answer(206, hub.body[start:], headers | where)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        end = self.hub.cut.pop(0) if self.hub.cut and status in (200, 206) else len(body)
        for at in range(0, min(end, len(body)), 65_536):
            self.wfile.write(body[at : min(at + 65_536, end)])
            self.hub.sent += 65_536
            time.sleep(self.hub.slow)
        if end < len(body):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client was killed, as the tests want it
            super().handle()


@pytest.fixture
def hub() -> Iterator[Hub]:
    state = Hub()
    handler = type("Bound", (Handler,), {"hub": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def registry(hub: Hub, tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models", hub=hub.url, retry=HASTY)


def visible(registry: Registry) -> list[Path]:
    """Every file that could be taken for a model or its note."""
    files = (path for path in registry.folder.rglob("*") if path.is_file())
    return [path for path in files if ".fetch" not in path.relative_to(registry.folder).parts]


def test_a_file_of_the_hub_arrives_whole_under_its_own_name(hub: Hub, registry: Registry) -> None:
    told: list[tuple[int, int | None]] = []
    path = registry.fetch(NAME, lambda done, total=None, note="": told.append((done, total)))
    assert path == registry.folder / "hf/owner/repo/sub/model.gguf"
    assert path.read_bytes() == MODEL
    assert hub.asked[0][0] == "/owner/repo/resolve/main/sub/model.gguf"
    assert told[-1] == (len(MODEL), len(MODEL))
    assert registry.resolve(NAME) == path
    entry = next(entry for entry in registry.list() if entry.name == NAME)
    assert (entry.state, entry.bytes) == ("present", len(MODEL))
    assert entry.source == f"{hub.url}/owner/repo/resolve/main/sub/model.gguf"


def test_a_second_fetch_asks_for_nothing_and_a_forced_one_for_everything(hub: Hub, registry: Registry) -> None:
    registry.fetch(NAME)
    asked = len(hub.asked)
    registry.fetch(NAME)
    assert len(hub.asked) == asked
    registry.fetch(NAME, force=True)
    assert hub.starts == ["", ""]


def test_a_revision_and_a_token_are_sent_but_the_token_never_to_another_host(hub: Hub, tmp_path: Path) -> None:
    registry = Registry(tmp_path, hub=hub.url + "/", token="secret", retry=HASTY)
    registry.fetch("hf:owner/repo@v1.0/model.gguf")
    assert hub.asked[0][0] == "/owner/repo/resolve/v1.0/model.gguf"
    assert hub.tokens[0] == "Bearer secret"


@pytest.mark.parametrize("redirect", [True, False])
def test_a_cut_connection_is_continued_from_where_it_broke(hub: Hub, registry: Registry, redirect: bool) -> None:
    hub.redirect = redirect
    hub.cut = [1_500_000, 300_000]
    assert registry.fetch(NAME).read_bytes() == MODEL
    assert hub.starts == ["", "bytes=1500000-", "bytes=1800000-"]
    assert hub.asked[-1][2] == '"first"'


def test_a_later_call_continues_what_an_earlier_one_left(hub: Hub, registry: Registry) -> None:
    hub.cut = [1_000_000, 0, 0, 0]
    with pytest.raises(ModelUnavailable, match="cannot fetch") as raised:
        registry.fetch(NAME)
    assert "continues" in raised.value.hint
    assert visible(registry) == []
    with pytest.raises(UnknownModel, match="not on this machine"):
        registry.resolve(NAME)
    hub.cut = []
    assert registry.fetch(NAME).read_bytes() == MODEL
    assert hub.starts[-1] == "bytes=1000000-"
    assert not list((registry.folder / ".fetch").glob("*.work"))


def test_a_file_that_changed_meanwhile_is_fetched_from_the_beginning(hub: Hub, registry: Registry) -> None:
    hub.cut = [1_000_000, 0, 0, 0]
    with pytest.raises(ModelUnavailable):
        registry.fetch(NAME)
    hub.cut = []
    hub.body = MODEL[:8] + b"another model" * 100_000
    hub.etag, hub.sha256 = '"second"', hashlib.sha256(hub.body).hexdigest()
    assert registry.fetch(NAME).read_bytes() == hub.body


def test_a_change_that_only_the_checksum_shows_is_noticed(hub: Hub, registry: Registry) -> None:
    hub.etag = 'W/"weak"'
    hub.cut = [1_000_000, 0, 0, 0]
    with pytest.raises(ModelUnavailable):
        registry.fetch(NAME)
    hub.cut = []
    hub.body = MODEL[:8] + b"another model" * 100_000
    hub.sha256 = hashlib.sha256(hub.body).hexdigest()
    assert registry.fetch(NAME).read_bytes() == hub.body
    assert hub.starts[-2:] == ["bytes=1000000-", ""]


def test_without_an_etag_or_a_checksum_nothing_is_continued(hub: Hub, registry: Registry) -> None:
    hub.etag = hub.sha256 = ""
    hub.cut = [1_000_000]
    assert registry.fetch(NAME).read_bytes() == MODEL
    assert hub.starts == ["", ""]


def test_a_server_without_ranges_is_asked_again_from_the_beginning(hub: Hub, registry: Registry) -> None:
    hub.ranges = False
    hub.cut = [1_500_000]
    assert registry.fetch(NAME).read_bytes() == MODEL


def test_a_shrunk_file_is_fetched_from_the_beginning(hub: Hub, registry: Registry) -> None:
    hub.cut = [2_000_000, 0, 0, 0]
    with pytest.raises(ModelUnavailable):
        registry.fetch(NAME)
    hub.cut, hub.body = [], MODEL[:1_000_000]
    hub.sha256 = hashlib.sha256(hub.body).hexdigest()
    assert registry.fetch(NAME).read_bytes() == hub.body


def test_bytes_with_another_checksum_never_become_a_model(hub: Hub, registry: Registry) -> None:
    hub.sha256 = "0" * 64
    with pytest.raises(ModelFileError, match="sha256"):
        registry.fetch(NAME)
    assert visible(registry) == []
    hub.sha256 = SHA256
    assert registry.fetch(NAME).read_bytes() == MODEL


def test_a_page_in_the_place_of_a_model_is_refused(hub: Hub, registry: Registry) -> None:
    hub.body, hub.sha256 = b"<html>sign in</html>", ""
    with pytest.raises(ModelFileError, match="not a GGUF"):
        registry.fetch(NAME)
    assert visible(registry) == []


def test_passing_failures_are_retried(hub: Hub, registry: Registry) -> None:
    hub.statuses = [503, 429]
    hub.retry_after = "0"
    assert registry.fetch(NAME).read_bytes() == MODEL


def test_a_server_that_keeps_failing_is_given_up(hub: Hub, registry: Registry) -> None:
    hub.statuses = [500] * 10
    with pytest.raises(ModelUnavailable, match="answered 500"):
        registry.fetch(NAME)
    assert len(hub.asked) == HASTY.attempts


@pytest.mark.parametrize(
    ("status", "error", "hint"),
    [
        (404, UnknownModel, "check the owner"),
        (401, UnknownModel, "HF_TOKEN"),
        (403, UnknownModel, "accept the model's terms"),
        (410, InputError, "check the address"),
    ],
)
def test_a_refusal_says_what_to_do(
    hub: Hub, registry: Registry, status: int, error: type[InputError], hint: str
) -> None:
    hub.statuses = [status]
    with pytest.raises(error) as raised:
        registry.fetch(NAME)
    assert hint in raised.value.hint
    assert len(hub.asked) == 1


def test_nobody_listening_is_model_unavailable(tmp_path: Path) -> None:
    registry = Registry(tmp_path, hub="http://127.0.0.1:9", retry=HASTY)
    with pytest.raises(ModelUnavailable, match="refused"):
        registry.fetch(NAME)


def test_a_server_that_stops_talking_is_not_waited_for_for_ever(hub: Hub, tmp_path: Path) -> None:
    hub.slow = 1.0
    with pytest.raises(ModelUnavailable, match="timed out"):
        download(hub.url + "/x", tmp_path / "x", retry=Retry(attempts=1, timeout=0.2))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "http://[::1/x", "nonsense"])
def test_an_address_that_is_none_is_an_input_error(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot fetch"):
        download(url, tmp_path / "x", retry=HASTY)


@pytest.mark.parametrize(
    "name", ["hf:", "hf:owner/file.gguf", "hf:a/b/c.bin", "hf:a/b/../../c.gguf", "hf:a/b//c.gguf", "hf:../b/c.gguf"]
)
def test_a_name_that_does_not_name_a_file_is_refused(name: str, registry: Registry) -> None:
    with pytest.raises(InputError, match="does not name"):
        registry.fetch(name)


def test_a_fetch_killed_with_9_is_continued_by_the_next(hub: Hub, registry: Registry) -> None:
    hub.slow = 0.02
    command = [sys.executable, "-c", FETCHING, str(registry.folder), hub.url, NAME]
    child = subprocess.Popen(command)
    try:
        while hub.sent < 1_000_000:
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert visible(registry) == []
    hub.slow = 0.0
    assert registry.fetch(NAME).read_bytes() == MODEL
    assert int(hub.starts[-1].removeprefix("bytes=").rstrip("-")) > 100_000


def test_two_processes_fetching_at_once_fetch_once(hub: Hub, registry: Registry) -> None:
    hub.slow = 0.01
    command = [sys.executable, "-c", FETCHING, str(registry.folder), hub.url, NAME]
    children = [subprocess.Popen(command) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    assert registry.resolve(NAME).read_bytes() == MODEL
    assert hub.starts == [""]


def test_a_full_disk_is_a_storage_error_and_leaves_no_model(hub: Hub, registry: Registry) -> None:
    command = [sys.executable, "-c", SMALL_DISK, str(registry.folder), hub.url, NAME]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cannot write" in done.stdout
    assert visible(registry) == []
    assert registry.fetch(NAME).read_bytes() == MODEL
    assert hub.starts == ["", "bytes=1000000-"]


def test_a_file_larger_than_the_disk_is_refused_before_it_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="are needed"):
        need_space(tmp_path, 10**18)


def test_a_file_in_place_of_the_folder_is_a_storage_error(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way")
    with pytest.raises(StorageError) as raised:
        Registry(tmp_path / "home" / "models", hub=hub.url).fetch(NAME)
    assert "KITHNET_HOME" in raised.value.hint
    with pytest.raises(StorageError, match="No space left"), storing(tmp_path):
        raise OSError(28, "No space left on device")


def test_a_checksum_is_that_of_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(MODEL)
    told: list[int] = []
    assert sha256_of(tmp_path / "model", lambda done, total=None, note="": told.append(done)) == SHA256
    assert told[-1] == len(MODEL)

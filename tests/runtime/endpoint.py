"""A real HTTP server on this machine in the place of an OpenAI-compatible endpoint; it answers what it is told to."""

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

Handler = http.server.BaseHTTPRequestHandler
Act = Callable[[Handler], None]


class Server:
    """Answers request i with `acts[i]`, the last one repeated; keeps the request bodies."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class _Handler(Handler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                outer.bodies.append(json.loads(data))
                outer.headers.append({k.lower(): v for k, v in self.headers.items()})
                outer.acts[min(len(outer.bodies), len(outer.acts)) - 1](self)

            def log_message(self, *args: Any) -> None:
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def send(text: str, status: int = 200, kind: str = "application/json", **headers: str) -> Act:
    def act(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("content-type", kind)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(text.encode())))
        handler.end_headers()
        handler.wfile.write(text.encode())

    return act


def answer(text: str, finish: str = "stop", **usage: Any) -> Act:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return send(json.dumps({"choices": [choice], "usage": usage or None}))


def events(*chunks: dict[str, Any] | str) -> Act:
    lines = "".join(f"data: {c if isinstance(c, str) else json.dumps(c)}\n\n" for c in chunks)
    return send(lines, kind="text/event-stream")


def delta(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def error(status: int, message: str, code: str = "", **headers: str) -> Act:
    return send(json.dumps({"error": {"message": message, "code": code}}), status, **headers)


def hang(seconds: float) -> Act:
    return lambda handler: time.sleep(seconds)


def hang_up(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)

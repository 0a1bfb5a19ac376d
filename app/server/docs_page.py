"""GET /docs: the description of the API as a page that needs nothing but itself, no script and no other server."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kithnet.app.server.failures import responses

PAGES = Path(__file__).parents[1] / "templates"
ALONE = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
"""The page may load nothing."""
BOUNDS = {"minimum": "at least", "ge": "at least", "maximum": "at most", "le": "at most", "lt": "below"}
SIZES = {"minItems": "at least", "maxItems": "at most"}
Schema = Mapping[str, Any]


def routes(described: Callable[[], dict[str, Any]]) -> APIRouter:
    """described: gives the OpenAPI description."""
    router = APIRouter()

    @router.get("/docs", response_class=HTMLResponse, responses=responses(500), operation_id="docs")
    async def docs() -> Response:
        """This page: the routes and the bodies, for reading."""
        return HTMLResponse(page(described()), headers=ALONE)

    return router


def page(described: Schema) -> str:
    """The page of an OpenAPI description."""
    about = described["info"]
    bodies = described["components"]["schemas"]
    made: str = _template().render(
        title=about["title"],
        version=about["version"],
        description=about["description"],
        token="security" in described,
        routes=[_route(path, method, one) for path, of in described["paths"].items() for method, one in of.items()],
        bodies=[_body(name, bodies[name]) for name in sorted(bodies)],
    )
    return made


@lru_cache(maxsize=1)
def _template() -> Any:
    loader = FileSystemLoader(PAGES)
    made = Environment(loader=loader, undefined=StrictUndefined, autoescape=True, trim_blocks=True)
    return made.get_template("docs.html.j2")


def _route(path: str, method: str, operation: Schema) -> dict[str, Any]:
    return {
        "path": path,
        "method": method.upper(),
        "about": operation.get("description", ""),
        "body": _named(operation.get("requestBody", {})),
        "answers": [
            {"status": status, "about": _sentence(answer["description"]), "body": _named(answer)}
            for status, answer in sorted(operation["responses"].items())
        ],
    }


def _sentence(text: str) -> str:
    return "The answer." if text == "Successful Response" else text


def _named(content: Schema) -> str:
    """The name of the JSON body, empty where there is none."""
    schema = content.get("content", {}).get("application/json", {}).get("schema", {})
    return _name(schema) if "$ref" in schema else ""


def _name(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _body(name: str, schema: Schema) -> dict[str, Any]:
    """Its fields, those first that have to be there."""
    required = schema.get("required", [])
    fields = [
        {"name": key, "required": key in required, "kind": list(_kind(of)), "about": of.get("description", "")}
        for key, of in sorted(schema.get("properties", {}).items(), key=lambda field: field[0] not in required)
    ]
    return {"name": name, "about": schema.get("description", ""), "fields": fields}


def _kind(schema: Schema) -> Iterator[dict[str, Any]]:
    """What a value may be, in words and links."""
    if "$ref" in schema:
        yield {"text": _name(schema), "link": True}
        return
    for union in ("anyOf", "oneOf"):
        for number, one in enumerate(schema.get(union, [])):
            if number:
                yield _words(" or ")
            yield from _kind(one)
        if union in schema:
            return
    if "const" in schema or "enum" in schema:
        yield _words(" or ".join(json.dumps(one) for one in schema.get("enum", [schema.get("const")])))
    elif schema.get("type") == "array":
        yield _words("list of ")
        yield from _kind(schema.get("items", {}))
        yield _words(_limits(schema, SIZES))
    else:
        yield _words(str(schema.get("type", "anything")) + _limits(schema, BOUNDS))


def _limits(schema: Schema, names: Mapping[str, str]) -> str:
    said = [f"{word} {schema[key]:.15g}" for key, word in names.items() if key in schema]
    return f" ({', '.join(said)})" if said else ""


def _words(text: str) -> dict[str, Any]:
    return {"text": text, "link": False}

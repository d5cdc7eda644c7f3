"""How a route of the API is declared: what it may refuse stands beside it, and a write is done once for its key."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Request
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response
from starlette.types import Message

from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.steps import answers
from review_flow.web.access import Db
from review_flow.web.api.shapes import Edited, Out, Page

BASE = "/api/v1"
MOST_BYTES = 2_000_000
Handler = TypeVar("Handler", bound=Callable[..., Any])
IfMatch = Annotated[
    str, Header(alias="If-Match", max_length=200, description="The ETag of what was read, or `*` for whatever it is.")
]


class BodyTooLarge(Refusal):
    """More than any request here needs; said before all of it is read."""

    status, text = 413, _("请求超过{limit}兆字节。")


class Bounded(APIRoute):
    """A route whose body is counted while it is read: who asks is known only afterwards."""

    most_bytes, ahead = MOST_BYTES, True

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Read the body before FastAPI does, up to its limit; not `ahead`, whoever wants it reads it."""
        answer = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            read = 0

            async def receive() -> Message:
                nonlocal read
                message = await request.receive()
                read += len(message.get("body", b""))
                if read > self.most_bytes:
                    raise BodyTooLarge(limit=self.most_bytes // 1_000_000)
                return message

            counted = Request(request.scope, receive)
            if self.ahead:
                await counted.body()
            done: Response = await answer(counted)
            return done

        return bounded


def router(tag: str, *, of: type[APIRoute] = Bounded) -> APIRouter:
    """Return a router for one part of the API."""
    return APIRouter(
        prefix=BASE, tags=[tag], route_class=of, generate_unique_id_function=lambda route: camel(route.name)
    )


def camel(name: str) -> str:
    """Return a handler's name as an operationId: list_rounds → listRounds."""
    first, *rest = name.strip("_").split("_")
    return first + "".join(map(str.capitalize, rest))


@dataclass(frozen=True, slots=True)
class Call:
    """What a write was sent with: the key that makes it one, and a digest of everything it asks."""

    key: str | None
    digest: str
    seal_keys: tuple[bytes, ...]


async def _call(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=100,
            pattern=r"^[\x21-\x7e]+$",
            description="Makes the request one deed however often it is sent: for 24 hours the same key and request "
            "give the same answer.",
        ),
    ] = None,
) -> Call:
    said = [request.method, request.url.path, request.url.query, request.headers.get("if-match", "")]
    digest = hashlib.sha256("\n".join(said).encode() + b"\n" + await request.body()).hexdigest()
    return Call(idempotency_key, digest, request.app.state.settings.derived_keys("kept answers"))


def reads(to: APIRouter, path: str, *, refuses: Iterable[type[Refusal]] = ()) -> Callable[[Handler], Handler]:
    """Declare a GET. Its answer comes with its version, if it has one, and with a link to the part that follows."""

    def register(handler: Handler) -> Handler:
        own = inspect.signature(handler, eval_str=True)

        def read(request: Request, **given: Any) -> Response:
            return _answer(request, 200, handler(**_named(own, given, request)))

        _add(to, path, handler, read, own, method="GET", status=200, refuses=refuses)
        return handler

    return register


def gives(
    to: APIRouter, path: str, *, kinds: Iterable[str], refuses: Iterable[type[Refusal]] = ()
) -> Callable[[Handler], Handler]:
    """Declare a GET whose handler answers with a file, as one of these media types."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    file: dict[int | str, dict[str, Any]] = {200: {"description": "The file.", "content": content}}

    def register(handler: Handler) -> Handler:
        return to.get(
            path,
            response_class=Response,
            responses=file | refused(refuses),
            summary=(handler.__doc__ or "").partition("\n")[0].rstrip("."),
        )(handler)

    return register


def writes(
    to: APIRouter,
    method: str,
    path: str,
    *,
    status: int = 200,
    refuses: Iterable[type[Refusal]] = (),
    takes: str | None = None,
) -> Callable[[Handler], Handler]:
    """Declare a write: with an Idempotency-Key the deed and its kept answer are one transaction (`session`, `person`).

    `takes`: the media type of a body that is a file; the handler reads it by a dependency.
    """

    def register(handler: Handler) -> Handler:
        own = inspect.signature(handler, eval_str=True)

        def once(request: Request, session: Db, person: Any, call: Call, **given: Any) -> Response:
            given |= {"session": session, "person": person}
            if call.key is None:
                return _answer(request, status, handler(**_named(own, given, request)))
            note = answers.begin(session, actor=person, key=call.key, request_digest=call.digest)
            before = answers.kept(note, seal_keys=call.seal_keys)
            if before is not None:
                return _sent(before["status"], before["body"], {**before["headers"], "idempotency-replayed": "true"})
            answer = handler(**_named(own, given, request))
            sent = _answer(request, status, answer)
            headers = {} if answer is None else answer.headers()
            said = {"status": sent.status_code, "body": _body(answer), "headers": headers}
            answers.keep(note, answer=said, seal_keys=call.seal_keys)
            return sent

        more = inspect.Parameter("call", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Call, Depends(_call)])
        body = {"required": True, "content": {takes: {"schema": {"type": "string", "format": "binary"}}}}
        extra = {"openapi_extra": {"requestBody": body}} if takes else {}
        _add(to, path, handler, once, own, more, method=method, status=status, refuses=refuses, **extra)
        return handler

    return register


def _named(own: inspect.Signature, given: Mapping[str, Any], request: Request) -> dict[str, Any]:
    return {**given, "request": request} if "request" in own.parameters else dict(given)


def _add(
    to: APIRouter,
    path: str,
    handler: Callable[..., Any],
    wrapped: Callable[..., Response],
    own: inspect.Signature,
    *more: inspect.Parameter,
    method: str,
    status: int,
    refuses: Iterable[type[Refusal]],
    **extra: Any,
) -> None:
    """Register the wrapped handler under the handler's own name, words and parameters."""
    asking = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    parameters = {one.name: one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own.parameters.values()}
    parameters = {"request": asking, **parameters, **{one.name: one for one in more}}
    wrapped.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]  # what FastAPI reads
    wrapped.__name__, wrapped.__doc__ = handler.__name__, handler.__doc__
    shape = own.return_annotation
    responses = refused(refuses)
    if isinstance(shape, type) and issubclass(shape, Edited):
        responses[status] = {"headers": {"ETag": {"description": "Its version.", "schema": {"type": "string"}}}}
    to.add_api_route(
        path,
        wrapped,
        methods=[method],
        status_code=status,
        response_model=shape,
        responses=responses,
        summary=(handler.__doc__ or "").partition("\n")[0].rstrip("."),
        description=inspect.getdoc(handler),
        **extra,
    )


def refused(classes: Iterable[type[Refusal]]) -> dict[int | str, dict[str, Any]]:
    """Return the refusals of a route by status, for its description: their codes, and when each is said."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for one in classes:
        said = f"`{one.code_of()}`: {(one.__doc__ or '').partition(chr(10))[0]}"
        earlier = by_status.get(one.status, {}).get("description")
        by_status[one.status] = {"description": f"{earlier}\n\n{said}" if earlier else said}
    return by_status


def _body(answer: Out | None) -> Any:
    return None if answer is None else answer.model_dump(mode="json")


def _answer(request: Request, status: int, answer: Out | None) -> Response:
    headers = {} if answer is None else answer.headers()
    if isinstance(answer, Page) and answer.next is not None:
        asked = {**request.query_params, "cursor": answer.next}
        headers["link"] = f'<{request.url.path}?{urlencode(asked)}>; rel="next"'
    return _sent(status, _body(answer), headers)


def _sent(status: int, body: Any, headers: Mapping[str, str]) -> Response:
    if status == HTTPStatus.NO_CONTENT:
        return Response(status_code=status, headers=headers)
    return JSONResponse(body, status, headers)

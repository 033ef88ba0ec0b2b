"""Idempotency-Key: a POST that is sent again gets the reply that the first one got, and is not done twice."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable

from console.api.problems import refused
from store.api_keys import KeyHolder
from store.api_replies import ApiReplies, KeptReply, RequestKey

HEADER = "idempotency-key"
REPLAYED = "idempotency-replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_RETRY_AFTER = "1"

Work = Callable[[], Awaitable[KeptReply]]


async def once(replies: ApiReplies, holder: KeyHolder, written: str, asked: tuple[bytes, ...], work: Work) -> KeptReply:
    """The reply of some work, which is done where its key is new. Raises Refused, and what `work` raises."""
    if not _KEY.fullmatch(written):
        raise refused("unreadable", "Idempotency-Key must have 1 to 255 visible ASCII characters")
    key = RequestKey(holder.project_id, holder.key_id, written)
    begun = await replies.begin(key, _digest(asked))
    match begun:
        case KeptReply():
            return KeptReply(begun.status, {**begun.headers, REPLAYED: "true"}, begun.body)
        case "another":
            raise refused("key_reused", "this Idempotency-Key came with another request before; make a new one")
        case "under_way":
            raise refused("in_flight", "the same request is under way", retry_after=_RETRY_AFTER)
    try:
        reply = await work()
    except BaseException:
        await replies.forget(key, begun)
        raise
    await replies.keep(key, begun, reply)
    return reply


def _digest(asked: tuple[bytes, ...]) -> bytes:
    digest = hashlib.sha256()
    for part in asked:
        digest.update(len(part).to_bytes(8) + part)
    return digest.digest()

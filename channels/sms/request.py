"""A text message as it is posted."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.http.api import HttpRequest


@dataclass(frozen=True, slots=True)
class SmsRequest(HttpRequest):
    """The request, with the number and the text that it is about. `place` is its account's as it was rendered."""

    to: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    place: str = ""

"""An OpenID provider on loopback, as an outer party: its keys are real, and it says what a test wants it to say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import web
from joserfc import jwk, jwt

CLIENT, SECRET = "tidings", "planted-client-secret"
REDIRECT = "https://tidings.shop.example/sign-in/oidc/callback"
SIGNED_OUT = "https://tidings.shop.example/sign-in/oidc/signed-out"


def new_key(kid: str, kind: str = "RSA") -> Any:
    return (
        jwk.RSAKey.generate_key(2048, {"kid": kid}) if kind == "RSA" else jwk.ECKey.generate_key("P-256", {"kid": kid})
    )


@dataclass(slots=True)
class OpenIdProvider:
    """`claims` are told of whoever comes, `token` replaces what signs them, `metadata` what it says of itself."""

    port: int = 0
    keys: list[Any] = field(default_factory=lambda: [new_key("k1")])
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, str] = field(default_factory=dict)
    sign: Any = None
    is_down: bool = False
    redirect: str = REDIRECT
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}/realm"

    def signed(self, claims: Mapping[str, Any]) -> str:
        if self.sign is not None:
            return str(self.sign(claims))
        key = self.keys[-1]
        algorithm = "RS256" if key.key_type == "RSA" else "ES256"
        return jwt.encode({"alg": algorithm, "kid": key.kid}, dict(claims), key, algorithms=[algorithm])

    async def discovery(self, _: web.Request) -> web.Response:
        at = self.issuer
        said = {
            "issuer": at, "authorization_endpoint": f"{at}/authorize", "token_endpoint": f"{at}/token",
            "jwks_uri": f"{at}/keys", **({"userinfo_endpoint": f"{at}/me"} if self.userinfo is not None else {}),
        }  # fmt: skip
        return web.json_response({**said, **self.metadata})

    async def jwks(self, _: web.Request) -> web.Response:
        broken = {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}
        return web.json_response({"keys": [broken, *(one.as_dict(private=False) for one in self.keys)]})

    async def authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        right = {
            "client_id": CLIENT,
            "redirect_uri": self.redirect,
            "response_type": "code",
            "code_challenge_method": "S256",
        }
        if any(asked.get(name) != value for name, value in right.items()) or "openid" not in asked["scope"]:
            return web.Response(status=400)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        answer = urlencode({"code": code, "state": asked["state"], **self.answer})
        return web.Response(status=302, headers={"location": f"{self.redirect}?{answer}"})

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self.codes.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        pair = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        is_client = request.headers["authorization"] == f"Basic {pair}"
        is_ours = is_client and form["redirect_uri"] == self.redirect
        if asked is None or not is_ours or asked["code_challenge"] != challenge:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "sub-1", "exp": now + 300, "iat": now, "nonce": asked["nonce"],
        }  # fmt: skip
        told = {name: one for name, one in {**claims, **self.claims}.items() if one is not None}
        return web.json_response({"id_token": self.signed(told), "access_token": "at", "token_type": "Bearer"})

    async def out(self, request: web.Request) -> web.Response:
        """Sign out, and go back: what else it would do, it does not need for that."""
        asked = request.query
        location = f"{asked['post_logout_redirect_uri']}?{urlencode({'state': asked['state']})}"
        return web.Response(status=302, headers={"location": location})

    async def me(self, request: web.Request) -> web.Response:
        return web.json_response(self.userinfo, status=200 if request.headers["authorization"] == "Bearer at" else 401)

    @web.middleware
    async def note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path.rpartition("/")[2])
        return web.Response(status=503) if self.is_down else await handler(request)


@asynccontextmanager
async def running_provider() -> AsyncIterator[OpenIdProvider]:
    provider = OpenIdProvider()
    app = web.Application(middlewares=[provider.note])
    app.add_routes(
        [
            web.get("/realm/.well-known/openid-configuration", provider.discovery),
            web.get("/realm/keys", provider.jwks),
            web.get("/realm/authorize", provider.authorize),
            web.post("/realm/token", provider.token),
            web.get("/realm/me", provider.me),
            web.get("/realm/out", provider.out),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.port = runner.addresses[0][1]
    try:
        yield provider
    finally:
        await runner.cleanup()


def by_public_key(provider: OpenIdProvider) -> Any:
    """Signs by a secret that everybody knows: the text of the public key."""

    def sign(claims: Mapping[str, Any]) -> str:
        head = {"alg": "HS256", "kid": provider.keys[-1].kid}
        body = f"{_part(head)}.{_part(claims)}"
        mac = hmac.new(provider.keys[-1].as_pem(private=False), body.encode(), hashlib.sha256).digest()
        return f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    return sign


def by_nothing(claims: Mapping[str, Any]) -> str:
    return f"{_part({'alg': 'none'})}.{_part(claims)}."


def by_another_key(claims: Mapping[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "k1"}, dict(claims), new_key("k1"), algorithms=["RS256"])


def _part(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


signed_otherwise = pytest.mark.parametrize(
    "sign",
    [
        lambda _: by_nothing,
        by_public_key,
        lambda _: by_another_key,
        lambda _: lambda _: "a.b.c",
        lambda _: lambda _: "",
    ],
    ids=["none", "hs256-by-the-public-key", "another-key-of-the-same-name", "no-token", "empty"],
)
"""By whom a token is signed where no key of the provider has."""

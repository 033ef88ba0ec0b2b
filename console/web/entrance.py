"""`/sign-in`, and `/welcome/<token>` for whoever comes by a link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aiohttp import web

from console.control import sign_in, user_links
from console.control.sign_in import SignInRefused
from console.control.user_links import Welcome
from console.control.users import NewUser
from console.web.next_page import next_page_of
from console.web.pages import FieldProblem, SignInPage, WelcomePage, respond, see
from console.web.visit import Visit
from schemas.errors import Problem
from schemas.formats.passwords import password_problem
from store.sign_ins import MustWait

_WRONG = "The e-mail address and the password do not belong together"
_LABELS = {"email": "E-mail address", "display_name": "Name", "password": "Password"}


async def ask(visit: Visit) -> web.Response:
    """The form; who is signed in already goes on."""
    page = next_page_of(visit.request.query.get("next"))
    return see(page) if visit.who is not None else respond(sign_in_page(visit, next_page=page))


async def enter(visit: Visit) -> web.Response:
    """Sign in. Whatever is wrong is said in one way."""
    form = await visit.form()
    email, password = form.get("email", "").strip(), form.get("password", "")  # of which blanks may be a part
    next_page = next_page_of(form.get("next"))
    missing = [
        FieldProblem(name, f"{label}: must not be empty")
        for name, label, given in (("email", "E-mail address", email), ("password", "Password", password))
        if not given
    ]
    if missing:
        return respond(sign_in_page(visit, email, missing, next_page), 422)
    try:
        token = await sign_in.sign_in(visit.door, email, password, visit.comer, visit.random)
    except SignInRefused:
        return respond(sign_in_page(visit, email, [FieldProblem("password", _WRONG)], next_page), 422)
    except MustWait as error:
        return must_wait(sign_in_page(visit, email, [FieldProblem("password", said_of(error))], next_page), error)
    return await visit.enter(token, next_page)


def sign_in_page(
    visit: Visit, email: str = "", problems: Sequence[FieldProblem] = (), next_page: str = "/"
) -> SignInPage:
    """The form, with the other ways in that there are, and the page to go on to."""
    return SignInPage(
        email=email, problems=problems, provider=visit.provider, has_passkeys=visit.passkeys is not None,
        next_page=next_page,
    )  # fmt: skip


async def welcome(visit: Visit) -> web.Response:
    """The form of a link, which is not used by looking at it. Raises NotFound."""
    return respond(_page(await user_links.look(visit.door.users, _token(visit)), provider=visit.provider))


async def come(visit: Visit) -> web.Response:
    """Use a link. Raises NotFound."""
    found = await user_links.look(visit.door.users, _token(visit))
    form = await visit.form()
    password = form.get("password", "")
    if found.needs == "provider":
        return respond(_page(found, provider=visit.provider), 403)
    if found.needs == "own_password":
        return await _accept(visit, found, password)
    new = NewUser("", form.get("email", ""), form.get("name", ""), "admin")
    wrong = [*(new.problems() if found.needs == "everything" else ()), *_password_problems(password)]
    if wrong:
        page = _page(found, new.email, new.display_name, _shown(wrong))
        return respond(page, 422)
    hashed = await visit.door.passwords.hash(password)
    users, token = visit.door.users, _token(visit)
    if found.needs == "everything":
        user_id = await user_links.begin(users, token, new, hashed, visit.random)
    else:
        user_id = await user_links.choose_password(users, token, hashed)
    user = await users.find(user_id)
    if user is None:
        return see("/sign-in")
    return await visit.enter(await sign_in.begin(visit.door, user, visit.comer, visit.random))


async def _accept(visit: Visit, found: Welcome, password: str) -> web.Response:
    """Let somebody in who has a password already, and proves it."""
    try:
        proved = await sign_in.prove(visit.door, found.email or "", password, visit.comer)
    except SignInRefused:
        said = FieldProblem("password", "Password: is not the one of this address")
        return respond(_page(found, problems=[said]), 422)
    except MustWait as error:
        return must_wait(_page(found, problems=[FieldProblem("password", said_of(error))]), error)
    await user_links.accept(visit.door.users, _token(visit), proved)
    return await visit.enter(await sign_in.begin(visit.door, proved, visit.comer, visit.random))


def _page(
    found: Welcome, email: str = "", name: str = "", problems: Iterable[FieldProblem] = (), provider: str = ""
) -> WelcomePage:
    match found.needs:
        case "everything":
            title, text, button = "Set up the first admin", "Nobody is here yet. You will be the admin.", "Begin"
        case "new_password" if found.is_reset:
            title, text, button = "Set a new password", "You are signed out everywhere else.", "Set the password"
        case "new_password":
            title, text, button = "Welcome", "Choose a password to accept the invitation.", "Accept"
        case "provider":
            title, button = "Accept the invitation", ""
            text = "You are here already, and have no password: sign in as you ever do, and the invitation is accepted."
        case _:
            title, button = "Accept the invitation", "Accept"
            text = "You have a password here already. Type it to accept the invitation."
    return WelcomePage(
        title=title, needs=found.needs, text=text, button=button, email=found.email or email, name=name,
        problems=list(problems), provider="" if found.needs == "everything" or found.is_reset else provider,
    )  # fmt: skip


def _token(visit: Visit) -> str:
    return visit.request.match_info["token"]


def _password_problems(password: str) -> list[Problem]:
    said = password_problem(password)
    return [Problem("password", said)] if said else []


def _shown(problems: Iterable[Problem]) -> list[FieldProblem]:
    ids = {"display_name": "name"}
    return [FieldProblem(ids.get(one.path, one.path), f"{_LABELS[one.path]}: {one.message}") for one in problems]


def said_of(error: MustWait) -> str:
    """The sentence for whoever has to wait."""
    return f"Too many attempts failed. Try again in {error.seconds} second{'' if error.seconds == 1 else 's'}"


def must_wait(page: SignInPage | WelcomePage, error: MustWait) -> web.Response:
    """A page for whoever has to wait."""
    response = respond(page, 429)
    response.headers["retry-after"] = str(error.seconds)
    return response

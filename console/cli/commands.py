"""Every command by name, as the list of all shows it: so that the list imports none of them."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A command as the list of all shows it: the module of this folder that has it, its panel, and its help."""

    module: str
    panel: str
    help: str


_START, _WRITE, _TRY, _OPERATE = "Start", "Write and apply", "Try and find out", "Keep it running"

COMMANDS: dict[str, Command] = {
    "up": Command(
        "run", _START, "Start the embedded Kafka and PostgreSQL below the data folder, and keep them until Ctrl-C."
    ),
    "dev": Command(
        "run", _START, "Servers, topics, all workers, console, API and pages in one terminal; Ctrl-C stops all of it."
    ),
    "demo": Command(
        "run",
        _START,
        "The whole job on servers and receivers of its own, compared with what has to come out; below var/demo.",
    ),
    "worker": Command("run", _START, "Run a worker; with several roles or processes, keep one process for each."),
    "console": Command(
        "run", _START, "Serve pictures of codes, providers' callbacks and /healthz over HTTP, until Ctrl-C or SIGTERM."
    ),
    "api": Command("run", _START, "Serve the HTTP API for those who have a key, until Ctrl-C or SIGTERM."),
    "web": Command("run", _START, "Serve the pages for people who sign in, until Ctrl-C or SIGTERM."),
    "apply": Command(
        "distributions", _WRITE, "Check distributions, or a project's folder, show what would change, and make it live."
    ),
    "plan": Command(
        "from_git", _WRITE, "Hold a project's folder against what is live: what differs, and where it was changed."
    ),
    "pull": Command("from_git", _WRITE, "Write everything that is live into a folder, as `tidings apply` reads it."),
    "managed": Command("from_git", _WRITE, "What is managed from Git, and its release."),
    "schema": Command(
        "distributions", _WRITE, "The JSON Schema of a distribution, a campaign, a segment or a project, for editors."
    ),
    "distributions": Command("distributions", _WRITE, "The distributions that are there."),
    "campaigns": Command("campaigns", _WRITE, "Campaigns and their codes."),
    "segments": Command("segments", _WRITE, "Groups of customers that are kept up here."),
    "send": Command(
        "sends",
        _WRITE,
        "Send a manual distribution to a customer, a list or a segment, after a hold in which it can be stopped.",
    ),
    "sends": Command("sends", _WRITE, "Manual sends: look, approve, confirm, edit, pause, resume, stop."),
    "projects": Command("projects", _WRITE, "Projects beside the default one: what belongs to each."),
    "brand": Command("brand", _WRITE, "The brand of a project: its names, pages and colors."),
    "templates": Command("templates", _WRITE, "E-mail templates, in files and stored under their names."),
    "simulate": Command(
        "simulate",
        _TRY,
        "Show what events would cause and when, with every test. Nothing is sent; with files it needs no servers.",
    ),
    "check": Command(
        "check",
        _TRY,
        "Hold a folder against recorded events: fields gone, rules that fit nothing, branches that fail. For CI.",
    ),
    "preview": Command(
        "preview",
        _TRY,
        "Show messages word for word: bodies, headers, subjects, texts. Nothing is sent; a file needs no servers.",
    ),
    "preflight": Command(
        "preflight", _TRY, "Look a distribution over before it is set live: all that would stop it from sending well."
    ),
    "sample": Command("events", _TRY, "Print a valid event of a type, to try a distribution on or to publish."),
    "why": Command("why", _TRY, "Show what was decided about a customer, and what became of each delivery."),
    "stats": Command(
        "statistics", _TRY, "Show how many decisions and deliveries came out how, by the time of their events."
    ),
    "results": Command(
        "statistics",
        _TRY,
        "Show what was redeemed of the codes that were sent, and the lift against those who are held out.",
    ),
    "tail": Command("events", _TRY, "Print a topic's records as JSON lines, whatever their encoding."),
    "publish": Command(
        "events", _TRY, "Publish events into their topics. Lines that are not valid are named and left out."
    ),
    "deliveries": Command("deliveries", _OPERATE, "Deliveries by filter: look, send again, cancel, hurry."),
    "customers": Command("customers", _OPERATE, "Customers: import many; find, show, export or erase one."),
    "holds": Command("holds", _OPERATE, "Sends that wait for a moment: look, cancel."),
    "lag": Command("operations", _OPERATE, "Show how far each consumer group is behind."),
    "top": Command(
        "operations",
        _OPERATE,
        "Each worker process, live: its partitions, its lag, and records a second. Ctrl-C ends it.",
    ),
    "destinations": Command(
        "operations",
        _OPERATE,
        "Destinations that little or nothing is sent to (paused, failing, throttled): why, since when, what waits.",
    ),
    "webhooks": Command("webhooks", _OPERATE, "Endpoints of webhooks: send a test event, show the last calls."),
    "accounts": Command("accounts", _OPERATE, "Accounts of a project at its providers, encrypted in the database."),
    "suppressions": Command("suppressions", _OPERATE, "Addresses, domains and wildcards that nothing is sent to."),
    "reports": Command("reports", _OPERATE, "Bounces and complaints that came back as mail."),
    "notices": Command(
        "notices",
        _OPERATE,
        "Show what waits for a person: accounts that refuse us, distributions without codes, pools that run low.",
    ),
    "keys": Command("keys", _OPERATE, "Keys of the HTTP API: make, list, revoke."),
    "users": Command(
        "users",
        _OPERATE,
        "People who sign in: add, invite, role, disable, enable, remove, reset, sessions, sign-out, passkeys,"
        " remove-passkey.",
    ),
    "audit": Command("audit", _OPERATE, "Who changed what and when: list, verify."),
    "doctor": Command("operations", _OPERATE, "Check everything that a worker needs, and say how to mend it."),
    "topics": Command("operations", _OPERATE, "Topics on the broker: what differs from the declaration."),
    "rebuild": Command("rebuild", _OPERATE, "Make anew what is kept of the topics: the read models."),
    "dead-letters": Command("dead_letters", _OPERATE, "Records that could not be processed."),
}
"""In the order of the list. A test holds each against its module, where the help stands as well."""

WITHIN_A_PROJECT = frozenset(
    {
        *("apply", "plan", "pull", "managed", "distributions", "campaigns", "segments", "templates", "send", "sends"),
        *(
            "check",
            "simulate",
            "preview",
            "preflight",
            "sample",
            "why",
            "stats",
            "results",
            "publish",
            "brand",
            "deliveries",
            "customers",
            "holds",
            "destinations",
            "notices",
            "webhooks",
            "accounts",
            "suppressions",
            "reports",
            "keys",
            "users",
            "audit",
        ),
    }
)
"""Commands that act within a project, and take `--project`."""

"""The page about preflights, written from the closed list of their findings."""

from __future__ import annotations

from console.control.preflight.audience import MOST, MOST_ASKED, MOST_RECORDS
from console.control.preflight.finding import MEANINGS
from console.control.preflight.links import MOST_ASKED as MOST_LINKS
from console.control.preflight.written import CLIPPED_FROM

_HEAD = f"""\
# Preflight

Written from `console/control/preflight/finding.py` by `python -m console.reference`.

`tidings preflight FILE|ID` and `POST /distributions/{{id}}/preflight` look a distribution over before it is set live:
all that would stop it from sending well is said. Nothing is sent, claimed or written down.

**Whom it is judged on.** The members of `--segment`; else those of the segment that its trigger names, where that is
defined here; else customers of the newest events of its kind, among {MOST_RECORDS:,} records of their topic. At most
{MOST} of them are looked at (`--most`, up to {MOST_ASKED:,}): of a segment spread over all of it, and the same ones
each time; of events the newest, one a customer. What is then said of the whole audience (codes, parts of text messages,
the pace of accounts) is reckoned from that part. Where nobody is known, a sample stands for them: `audience_unknown`.

**How it is judged.** Matchers' own functions decide, as if the distribution were live and each event happened now (or
at `starts_at`, where that is later), with the profiles and segments of the database; what has to wait is released in
simulated time, so that hours that never open before `expires_after` show. What customers were sent before, by this
distribution or others, is not known to it: caps and re-entry count what this preflight itself would send. Channels then
write each message as a sender does, with the real profiles. It is asked of every fallback whether it can be written.

**Who is asked.** Unless `--offline`: each account, as `tidings accounts test` does; DNS for SPF and DMARC of a sender's
domain, and of each domain above it; and at most {MOST_LINKS} pages that a template links to. Only a link that its
author wrote whole is opened: one with a customer's values in it may do something when it is. No redirect is followed. A
page that answers 404 or 410, or whose host is not there, is broken; one that refuses a program (403, 429) is a note.

**Size.** Gmail clips an e-mail of more than about 102 KB of HTML, and with its end the links to leave by. The largest
message is measured as it leaves, with tracked links where the project wants these, from {CLIPPED_FROM:,} bytes on.

**Text messages.** Parts are counted over the texts as they are written to each customer. `--sms-price 0.04` says what
one part costs, and the finding then what all of them come to.

Each finding has a kind of this list, a severity, a JSON pointer to the field of the document, a reason and what would
be right. A *blocker* makes the command end with 1, and `is_clear` false; setting live is not kept from anybody by it.

| finding | severity | means | would be right |
|---|---|---|---|
"""


def preflight_page() -> str:
    """A row for each kind of finding."""
    rows = (f"| `{kind}` | {one.severity} | {one.said} | {one.right} |" for kind, one in MEANINGS.items())
    return _HEAD + "\n".join(rows) + "\n"

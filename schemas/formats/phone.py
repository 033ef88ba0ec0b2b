"""The one definition of a phone number: rules, senders, previews and the suppression list all ask here.

A number is kept as E.164 has it: `+`, the code of its country, and digits (`+48600100200`). One without `+` is read as
people of `region` dial it, where a region is given. Checked is what never changes: that the country exists and that its
numbers have so many digits. Which ranges of digits are in use changes every week, and is left to the provider, so that
nobody with a new number is passed over. Numbers that bill whoever sends to them are refused.
"""

from __future__ import annotations

from functools import lru_cache

from schemas.formats.blank import trimmed

_KEPT = 1024
"""Numbers that are remembered: a customer's is asked for once for each message of each rule that fits."""
_LONGEST = 40
_EXAMPLE = "+48501234567"


def phone_number(value: object, region: str = "") -> str:
    """A number as E.164 has it. Raises ValueError that says why nothing can be sent there, without showing it."""
    if not isinstance(value, str):
        raise ValueError("it is not a text")
    return _number(value, region)


def phone_region(text: str) -> str:
    """A country whose numbers may be written without their code. Raises ValueError."""
    import phonenumbers  # not at the top: most processes never meet a number, and it takes a while

    region = text.strip().upper()
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f'"{text[:20]}" is not valid: must be the two letters of a country, such as PL')
    return region


@lru_cache(_KEPT)
def _number(written: str, region: str) -> str:
    import phonenumbers

    text = trimmed(written)
    if len(text) > _LONGEST:
        raise ValueError(f"it has {len(text)} characters, a number at most {_LONGEST}")
    if any(one.isalpha() for one in text):
        raise ValueError("it has letters")
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException as error:
        raise ValueError(_why_not_read(error, text, region)) from None
    wrong = _wrong(phonenumbers.is_possible_number_with_reason(number))
    if wrong:
        raise ValueError(wrong)
    if phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.PREMIUM_RATE:
        raise ValueError("it is a premium-rate number, and bills whoever sends to it")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _why_not_read(error: Exception, text: str, region: str) -> str:
    import phonenumbers

    is_about_country = getattr(error, "error_type", None) == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE
    if not is_about_country:
        return f"it is not a phone number such as {_EXAMPLE}"
    if text.startswith(("+", "＋")):  # noqa: RUF001 - as East Asian keyboards write it
        return "no country has its code"
    if region:
        return f"it cannot be read as a number of {region}"
    return f"it has no country: must begin with +, as {_EXAMPLE} does, or a region must be given"


def _wrong(possible: int) -> str:
    import phonenumbers

    reason = phonenumbers.ValidationResult
    return {
        reason.INVALID_COUNTRY_CODE: "no country has its code",
        reason.TOO_SHORT: "it has too few digits for its country",
        reason.TOO_LONG: "it has too many digits for its country",
        reason.INVALID_LENGTH: "its country has no numbers of so many digits",
        reason.IS_POSSIBLE_LOCAL_ONLY: "it lacks the digits of its area",
    }.get(possible, "")

"""Money of today's ISO 4217: minor units become an amount by the standard's own exponent.

CLDR writes some currencies without decimals by habit (RSD, ISK's neighbours, MGA …), which says nothing about what
120000 minor units are: divided or shown by habit, an amount is a hundred times too much.
"""

from __future__ import annotations

from copy import copy
from decimal import Decimal
from functools import lru_cache

from babel import Locale

_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF"
        " CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG"
        " HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR"
        " MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD"
        " SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UZS VED VES WST XAD XCD XCG"
        " YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""Source: ISO 4217, list one, as of January 2026; codes without a minor unit (gold, funds, tests) are no price."""

_WITHDRAWN = {0: "BYR", 2: "ANG CUC HRK LTL LVL MRO SLL STD VEF ZMK ZWL"}
"""Of the last years: amounts in them may still be told."""

EXPONENTS = {
    code: digits for table in (_DECIMALS, _WITHDRAWN) for digits, codes in table.items() for code in codes.split()
}
"""Currency to the decimals of its minor unit."""


@lru_cache(maxsize=1000)
def money_text(minor: int, currency: str, locale: Locale) -> str:
    """Minor units as a locale writes them, with all decimals of the currency."""
    digits = EXPONENTS[currency]
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    amount = Decimal(minor).scaleb(-digits)
    return str(pattern.apply(amount, locale, currency=currency, currency_digits=False))

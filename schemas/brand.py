"""The keys of a brand: the sender as customers see it, and as templates name it, `brand.<key>`."""

from __future__ import annotations

BRAND_KEYS = (
    "name", "address", "contact", "privacy_url", "terms_url", "logo_url", "permission_reminder", "preferences_url",
    "shop_url", "color", "letters_color", "font", "currency", "facebook_url", "instagram_url", "linkedin_url",
    "tiktok_url", "x_url", "youtube_url",
)  # fmt: skip
BRAND_VARIABLES = (*BRAND_KEYS, "on_color", "locale", "timezone")
"""What templates may name: the color of letters on its own, and the project's language and zone as well."""
FONTS = r"[A-Za-z0-9][A-Za-z0-9 ,-]*"
"""The form of a list of fonts, whole: in quotes none would stand in an attribute."""

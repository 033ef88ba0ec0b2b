"""One realistic example of each object that events carry, of which the samples of the event types are composed.

They tell one story: Jack, a gold member of a loyalty programme, uses a spring code that a friend passed on.
"""

from __future__ import annotations

from schemas.record import JsonObject

MOMENT = "2026-11-20T09:12:04Z"
"""When the events of the samples happened."""

CUSTOMER: JsonObject = {
    "id": "cust_17",
    "source_id": "shop-17",
    "name": "Jack Nowak",
    "email": "jack@example.com",
    "phone": "+48600100200",
    "locale": "pl-PL",
    "timezone": "Europe/Warsaw",
    "birthday": "1990-11-20",
    "address": {"city": "Warszawa", "country": "PL"},
    "consents": {"marketing": True, "loyalty": True},
    "metadata": {"country": "PL", "lifetime_value": 48210},
    "object": "customer",
}

_REFERRER: JsonObject = {
    "id": "cust_4",
    "name": "Ada Svoboda",
    "email": "ada@example.com",
    "consents": {},
    "metadata": {},
    "object": "customer",
}
_DISCOUNT: JsonObject = {"type": "PERCENT", "percent_off": 10, "amount_limit": 3000, "effect": "APPLY_TO_ORDER"}
_LOYALTY_TIER: JsonObject = {
    "id": "lt_silver",
    "name": "Silver",
    "campaign_id": "camp_loyalty",
    "points": {"from": 0, "to": 999},
    "metadata": {"lounge": False},
    "object": "loyalty_tier",
}

OBJECTS: dict[str, object] = {
    "segment": {"id": "lapsed-90-days", "name": "Lapsed for 90 days", "object": "segment"},
    "order": {
        "id": "ord_1",
        "source_id": "web-2026-1",
        "status": "PAID",
        "amount": 12000,
        "discount_amount": 1200,
        "total_amount": 10800,
        "items": [
            {"product_id": "prod_shoe", "sku_id": "SHOE-42", "quantity": 1, "price": 9500, "amount": 9500},
            {"product_id": "prod_gift", "sku_id": "GIFT-1", "quantity": 1, "price": 2500, "amount": 2500},
        ],
        "customer_id": "cust_17",
        "created_at": "2026-11-20T09:10:00Z",
        "metadata": {"shop": "web"},
        "object": "order",
    },
    "referrer": _REFERRER,
    "event": {
        "id": "ev_custom_1",
        "type": "wishlist_updated",
        "created_at": MOMENT,
        "metadata": {"product": "SHOE-42", "price": 9500},
        "object": "event",
    },
    "event_schema": {"id": "ms_wishlist", "name": "wishlist_updated", "object": "metadata_schema"},
    "loyalty": {"points": 80, "object": "loyalty"},
    "referral": {"id": "ref_1", "code": "FRIEND-ADA", "referrer_id": "cust_4", "object": "referral"},
    "distribution": {
        "id": "spring-letter",
        "created_at": "2026-11-20T09:02:04Z",
        "status": "TO SEND",
        "consents": {"disabled": True},
        "distribution_channels": ["webhook"],
    },
    "voucher": {
        "id": "v_1",
        "code": "SPRING-2026-osO",
        "type": "DISCOUNT_VOUCHER",
        "campaign": "Spring Discounts",
        "campaign_id": "camp_spring",
        "holder_id": "cust_17",
        "is_referral_code": False,
        "active": True,
        "discount": _DISCOUNT,
        "redemption": {"quantity": 1, "redeemed_quantity": 0},
        "metadata": {"season": "spring"},
        "object": "voucher",
    },
    "campaign": {
        "id": "camp_spring",
        "name": "Spring Discounts",
        "campaign_type": "DISCOUNT_COUPONS",
        "type": "AUTO_UPDATE",
        "active": True,
        "auto_join": False,
        "join_once": False,
        "voucher": {"type": "DISCOUNT_VOUCHER", "discount": _DISCOUNT},
        "metadata": {"season": "spring"},
        "object": "campaign",
    },
    "balance": {
        "type": "loyalty_card",
        "points": 120,
        "total": 1120,
        "balance": 1120,
        "operation_type": "MANUAL",
        "related_object": {"type": "voucher", "id": "v_2"},
        "object": "balance",
    },
    "transaction": {"id": "vtx_1", "type": "POINTS_ADDITION", "reason": "Birthday", "created_at": MOMENT},
    "points": 40,
    "buckets": [{"id": "lopb_1", "points": 40, "expires_at": "2026-11-20"}],
    "pending_points": {
        "id": "lopp_1",
        "points": 120,
        "activates_at": "2026-12-04",
        "created_at": MOMENT,
        "object": "pending_points",
    },
    "voucher_pending_points_balance": {"total": 120, "object": "balance"},
    "redemption": {
        "id": "r_1",
        "date": MOMENT,
        "result": "SUCCESS",
        "status": "SUCCEEDED",
        "amount": 1200,
        "customer_id": "cust_17",
        "tracking_id": "shop-17",
        "metadata": {},
        "object": "redemption",
    },
    "redemption_rollback": {
        "id": "rr_1",
        "redemption": "r_1",
        "date": MOMENT,
        "result": "SUCCESS",
        "amount": 1200,
        "customer_id": "cust_17",
        "reason": "Goods returned",
        "object": "redemption_rollback",
    },
    "holder": CUSTOMER,
    "promotion_tier": {
        "id": "promo_1",
        "name": "Spring week",
        "banner": "10 % off this week",
        "action": {"discount": _DISCOUNT},
        "metadata": {},
        "object": "promotion_tier",
    },
    "promotion_stack": {"id": "stack_1", "name": "Spring stack", "tiers": {"ids": ["promo_1"]}, "object": "stack"},
    "reward": {
        "id": "rew_1",
        "name": "Free delivery",
        "type": "CAMPAIGN",
        "stock": 200,
        "redeemed": 3,
        "parameters": {"campaign": {"id": "camp_delivery", "type": "DISCOUNT_COUPONS"}},
        "metadata": {"kind": "delivery"},
        "object": "reward",
    },
    "reward_redemption": {
        "id": "rr_7",
        "customer_id": "cust_17",
        "assignment_id": "rewa_1",
        "voucher_id": "v_2",
        "campaign_id": "camp_loyalty",
        "source_id": "shop-17",
        "status": "COMPLETED",
        "date": MOMENT,
        "amount": 100,
        "object": "reward_redemption",
    },
    "reward_assignment": {
        "id": "rewa_1",
        "reward_id": "rew_1",
        "related_object_id": "camp_loyalty",
        "related_object_type": "campaign",
        "parameters": {"loyalty": {"points": 100}},
        "object": "reward_assignment",
    },
    "referral_tier": {"id": "rt_1", "name": "First friend", "object": "referral_tier"},
    "loyalty_tier": _LOYALTY_TIER,
    "loyalty_tier_from": _LOYALTY_TIER,
    "loyalty_tier_to": {
        **_LOYALTY_TIER,
        "id": "lt_gold",
        "name": "Gold",
        "points": {"from": 1000},
        "metadata": {"lounge": True},
    },
    "earning_rule": {
        "id": "ern_1",
        "event": "order.paid",
        "loyalty": {"type": "FIXED", "points": 120},
        "source": {"banner": "120 points an order"},
        "active": True,
        "metadata": {},
        "object": "earning_rule",
    },
    "publication": {
        "id": "pub_1",
        "customer_id": "cust_17",
        "tracking_id": "shop-17",
        "channel": "Automation",
        "result": "SUCCESS",
        "vouchers_id": ["v_1"],
        "created_at": MOMENT,
        "metadata": {"source_type": "distribution", "source_id": "winback", "distribution_id": "winback"},
        "object": "publication",
    },
}
"""Object to its example, by its name in `data`."""

LOYALTY: JsonObject = {
    "campaign": {
        "id": "camp_loyalty",
        "name": "Gold Club",
        "campaign_type": "LOYALTY_PROGRAM",
        "type": "AUTO_UPDATE",
        "active": True,
        "voucher": {"type": "LOYALTY_CARD"},
        "metadata": {},
        "object": "campaign",
    },
    "voucher": {
        "id": "v_2",
        "code": "LOYAL-2026-17",
        "type": "LOYALTY_CARD",
        "campaign": "Gold Club",
        "campaign_id": "camp_loyalty",
        "holder_id": "cust_17",
        "active": True,
        "loyalty_card": {"points": 1120, "balance": 1120},
        "metadata": {},
        "object": "voucher",
    },
}
"""The card and its campaign, for events of a loyalty programme."""

GIFT: JsonObject = {
    "campaign": {
        "id": "camp_gift",
        "name": "Gift cards",
        "campaign_type": "GIFT_VOUCHERS",
        "type": "AUTO_UPDATE",
        "active": True,
        "metadata": {},
        "object": "campaign",
    },
    "voucher": {
        "id": "v_3",
        "code": "GIFT-2026-77",
        "type": "GIFT_VOUCHER",
        "campaign": "Gift cards",
        "campaign_id": "camp_gift",
        "holder_id": "cust_17",
        "active": True,
        "gift": {"amount": 15000, "balance": 15000},
        "metadata": {},
        "object": "voucher",
    },
    "balance": {"type": "gift_voucher", "amount": 5000, "total": 15000, "balance": 15000, "object": "balance"},
    "transaction": {"id": "vtx_2", "type": "CREDITS_ADDITION", "reason": "Refund", "created_at": MOMENT},
}
"""The card, its campaign and what was added, for events of gift cards."""

REFERRAL: JsonObject = {
    "campaign": {
        "id": "camp_referral",
        "name": "Bring a friend",
        "campaign_type": "REFERRAL_PROGRAM",
        "type": "AUTO_UPDATE",
        "active": True,
        "metadata": {},
        "object": "campaign",
    },
    "voucher": {
        "id": "v_4",
        "code": "FRIEND-ADA",
        "type": "DISCOUNT_VOUCHER",
        "campaign": "Bring a friend",
        "campaign_id": "camp_referral",
        "holder_id": "cust_4",
        "is_referral_code": True,
        "active": True,
        "metadata": {},
        "object": "voucher",
    },
}
"""The friend's code and its campaign, for events of referrals."""

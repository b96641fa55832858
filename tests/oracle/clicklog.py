"""A seeded log of shop clicks as JSON lines objects, for the oracle's own tests and timing."""
import random

KINDS = ["impression"] * 10 + ["view"] * 5 + ["click"] * 3 + ["add_to_cart", "purchase"]
START_MS = 1700000000000


def clicks(count, users=200, days=45, partitions=2, seed=1):
    """Events in disorder over some days, users in one partition each, rts beside the event."""
    rng = random.Random(seed)
    for i in range(count):
        # denser towards the end, so that short windows hold something there
        now = int(START_MS + days * 86400000 * (1 - (1 - i / count) ** 3))
        user = min(int(rng.paretovariate(0.7)), users) % users
        lag = rng.choice([0, 0, 0, 1000, 4000, 60000, 7200000]) if rng.random() < 0.1 else 0
        ahead = 86400000 if rng.random() < 0.001 else 0
        kind = rng.choice(KINDS)
        yield {"event_id": f"e{i}", "user_id": f"user-{user}", "event_time": now - lag + ahead,
               "event_type": kind, "item_id": None if rng.random() < 0.1 else
               f"item-{int(rng.paretovariate(1)) % 5000}", "category": None,
               "price": rng.choice([None, round(rng.uniform(1, 99), 2)]),
               "quantity": rng.randint(1, 3), "currency": "EUR",
               "page": {"url": f"/p/{rng.randint(0, 99)}", "referrer": None},
               "device": "phone", "country": "DE", "position": 3, "user_agent": "ua",
               "props": {}, "@partition": user % partitions, "@timestamp": now}

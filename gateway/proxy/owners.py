"""Who answers what: the first path segment after `/v1` names the owner."""

OWNERS = {
    "arrivals": "reception",
    "cases": "cases",
    "deadlines": "cases",
    "households": "cases",
    "referrals": "cases",
    "returnees": "cases",
}
"""A test holds this against the routes of the services."""

"""Currencies of ISO 4217 and how many decimals each has; an amount is never finer than its
currency.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

WITHOUT_DECIMALS = frozenset(
    (
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    )
)
WITH_THREE = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def exponent(currency: str) -> int:
    """How many decimals a currency has (ISO 4217, list one): the dinar of Iraq three, the franc of
    Guinea none.
    """
    if currency in WITHOUT_DECIMALS:
        return 0
    return 3 if currency in WITH_THREE else 2


def unit(currency: str) -> Decimal:
    """The smallest amount of a currency."""
    return Decimal(1).scaleb(-exponent(currency))


def is_exact(amount: Decimal, currency: str) -> bool:
    """Whether an amount can be written in its currency."""
    return amount.is_finite() and amount == amount.quantize(unit(currency))


def paid_out(amount: Decimal, rate: Decimal, currency: str, step: Decimal | None) -> Decimal:
    """An amount in the currency of payout, never more than it is worth.

    Args:
        amount: In the budget's currency.
        rate: Units of the payout currency for one of the budget's.
        currency: The payout currency.
        step: For cash, the smallest note or coin in use; None where the currency's own unit counts.
    """
    grain = step or unit(currency)
    return ((amount * rate / grain).to_integral_value(ROUND_DOWN) * grain).quantize(unit(currency))


def booked(payout: Decimal, rate: Decimal, currency: str) -> Decimal:
    """What a payout costs the budget, in the budget's currency; half to even."""
    return (payout / rate).quantize(unit(currency), ROUND_HALF_EVEN)


def split(amount: Decimal, shares: list[Decimal], currency: str) -> list[Decimal]:
    """Divide an amount by shares so that the parts are exact and add up to it; the largest
    remainders get the rest.
    """
    grain = unit(currency)
    exact = [amount * share for share in shares]
    parts = [part.quantize(grain, ROUND_DOWN) for part in exact]
    missing = int((amount - sum(parts)) / grain)
    order = sorted(range(len(shares)), key=lambda place: exact[place] - parts[place], reverse=True)
    for place in order[:missing]:
        parts[place] += grain
    return parts

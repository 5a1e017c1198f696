"""`homeward ledger verify`: the books proved from their postings, against the grants and payments
they are about.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from chassis.db import Session
from contracts.currencies import WITH_THREE, WITHOUT_DECIMALS
from services.grants.models import SYSTEM_ACTOR


@dataclass(frozen=True)
class Proof:
    """What was looked at, and what is wrong.

    Attributes:
        entries: How many entries there are.
        postings: How many sides.
        findings: What does not hold; empty where the books are right.
    """

    entries: int
    postings: int
    findings: tuple[str, ...]


def decimals(column: str) -> str:
    """How many decimals the currency in a column has, in SQL."""
    none, three = (
        ", ".join(f"'{code}'" for code in sorted(codes)) for codes in (WITHOUT_DECIMALS, WITH_THREE)
    )
    return f"CASE WHEN {column} IN ({none}) THEN 0 WHEN {column} IN ({three}) THEN 3 ELSE 2 END"


# Days are compared with one to spare: the proof knows no time zones.
CHECKS = {
    "entry {0} does not balance": """
        SELECT e.id FROM journal_entry e LEFT JOIN posting p ON p.entry_id = e.id
        GROUP BY e.id HAVING count(p.id) < 2 OR sum(p.amount) <> 0""",
    "posting {0} is of another budget than its entry": """
        SELECT p.id FROM posting p JOIN journal_entry e ON e.id = p.entry_id
        WHERE p.budget_id <> e.budget_id""",
    "posting {0} is of another grant than its entry": """
        SELECT p.id FROM posting p JOIN journal_entry e ON e.id = p.entry_id
        WHERE p.grant_id IS DISTINCT FROM e.grant_id""",
    "entry {0} moves money otherwise than a {1} does": """
        SELECT e.id, e.kind FROM journal_entry e JOIN posting p ON p.entry_id = e.id
        LEFT JOIN (VALUES ('fund', 'funds', 'available'), ('reserve', 'available', 'reserved'),
                          ('release', 'reserved', 'available'), ('commit', 'reserved', 'committed'),
                          ('give_back', 'committed', 'available'), ('pay', 'committed', 'paid'),
                          ('reverse', 'paid', 'committed'), ('recover', 'paid', 'recovered'),
                          ('reuse', 'recovered', 'available'))
                  AS right_way (kind, source, target) ON right_way.kind = e.kind
        GROUP BY e.id, e.kind, right_way.source, right_way.target
        HAVING count(*) <> 2 OR count(*) FILTER (WHERE p.account = right_way.source
            AND p.amount < 0) <> 1
            OR count(*) FILTER (WHERE p.account = right_way.target AND p.amount > 0) <> 1""",
    "account {1} of budget {0} is not the sum of its postings": """
        SELECT coalesce(a.budget_id, s.budget_id), coalesce(a.account, s.account)
        FROM budget_account a
        FULL JOIN (SELECT budget_id, account, sum(amount) AS total FROM posting GROUP BY 1, 2) s
          ON s.budget_id = a.budget_id AND s.account = a.account
        WHERE a.balance IS DISTINCT FROM s.total""",
    "account {1} of budget {0} is below zero": """
        SELECT budget_id, account FROM posting WHERE account <> 'funds'
        GROUP BY budget_id, account HAVING sum(amount) < 0""",
    "budget {0} was not funded with its amount": """
        SELECT b.id FROM budget b LEFT JOIN posting p ON p.budget_id = b.id AND p.account = 'funds'
        GROUP BY b.id HAVING coalesce(-sum(p.amount), 0) <> b.amount""",
    "grant {0} holds money in a budget that is not its own": """
        SELECT DISTINCT p.grant_id FROM posting p JOIN assistance_grant g ON g.id = p.grant_id
        WHERE p.account IN ('reserved', 'committed')
        GROUP BY p.grant_id, p.budget_id, p.account, g.budget_id
        HAVING sum(p.amount) <> 0 AND p.budget_id IS DISTINCT FROM g.budget_id""",
    "grant {0} holds other money than its state says": """
        SELECT g.id FROM assistance_grant g
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(amount) FILTER (WHERE account = 'reserved'), 0) AS reserved,
                   coalesce(sum(amount) FILTER (
                       WHERE account IN ('committed', 'paid', 'recovered')), 0) AS spent,
                   coalesce(sum(amount) FILTER (WHERE account = 'committed'), 0) AS committed
            FROM posting WHERE grant_id = g.id) p ON true
        WHERE CASE WHEN g.state IN ('requested', 'quoted')
                       THEN p.reserved <> g.amount OR p.spent <> 0
                   WHEN g.state IN ('approved', 'ordered', 'delivered') THEN p.reserved <> 0
                       OR p.spent <> g.amount
                   WHEN g.state = 'closed' THEN p.reserved <> 0 OR p.committed <> 0
                   ELSE p.reserved <> 0 OR p.spent <> 0 END""",
    "entry {0} is of a payment that there is not": """
        SELECT e.id FROM journal_entry e LEFT JOIN payment m ON m.id = e.payment_id
        WHERE (e.kind IN ('pay', 'reverse', 'recover')) <> (m.id IS NOT NULL)
            OR m.budget_id <> e.budget_id""",
    "payment {0} is not booked as its state says": """
        SELECT m.id FROM payment m LEFT JOIN journal_entry e ON e.payment_id = m.id
        LEFT JOIN posting p ON p.entry_id = e.id AND p.account = 'paid'
        GROUP BY m.id
        HAVING coalesce(sum(p.amount), 0) <> CASE WHEN m.state = 'confirmed'
            THEN m.amount - m.recovered ELSE 0 END
            OR coalesce(-sum(p.amount) FILTER (WHERE e.kind = 'recover'), 0) <> m.recovered
            OR m.recovered > m.amount OR (m.state = 'recovered') <> (m.recovered = m.amount)
            OR count(e.id) FILTER (WHERE e.kind = 'pay')
                <> (m.state IN ('confirmed', 'reversed', 'recovered'))::int""",
    "grant {0} pays more than it is": """
        SELECT g.id FROM assistance_grant g JOIN payment m ON m.grant_id = g.id AND m.live
        GROUP BY g.id HAVING sum(m.amount) > g.amount""",
    "payment {0} was released without its approvals, its papers or a third person": """
        SELECT m.id FROM payment m JOIN assistance_grant g ON g.id = m.grant_id
        WHERE m.released_by IS NOT NULL
          AND (NOT m.papers_needed <@ m.papers_there OR m.released_by = m.scheduled_by
               OR m.released_by = ANY (g.preparers)
               OR EXISTS (SELECT 1 FROM approval a WHERE a.grant_id = g.id
                          AND (a.actor = m.released_by
                              OR (a.actor = ANY (g.preparers) AND a.round = g.round)))
               OR (SELECT count(*) FROM approval a WHERE a.grant_id = g.id AND a.round = g.round)
                  < g.approvers_needed)""",
    "payment {0} was taken back by nobody, or by who had it sent": """
        SELECT m.id FROM payment m JOIN assistance_grant g ON g.id = m.grant_id
        WHERE array_remove(m.undone_by, 'SYSTEM_ACTOR'::uuid)
            && ARRAY[m.scheduled_by, m.released_by, g.requester]
           OR (m.undone_by = '{}' AND ((m.state = 'failed' AND m.released_by IS NOT NULL)
               OR m.ordered IS NOT NULL
               OR (m.state = 'reversed' AND NOT EXISTS (
                   SELECT 1 FROM statement_line l WHERE l.payment_id = m.id
                       AND l.outcome = 'reversed'))))""".replace("SYSTEM_ACTOR", str(SYSTEM_ACTOR)),
    "payment {0} was released by who had taken another of its grant back": """
        SELECT m.id FROM payment m JOIN payment b ON b.grant_id = m.grant_id AND b.id <> m.id
        WHERE m.released_by = ANY (b.undone_by) AND m.released_at > b.updated_at""",
    "payment {0} gives the returnee money as if it were in kind": """
        SELECT m.id FROM payment m JOIN assistance_grant g ON g.id = m.grant_id
        LEFT JOIN payee p ON p.id = m.payee_id
        WHERE (m.method = 'cash' OR (p.kind = 'returnee' AND m.released_by IS NOT NULL))
          AND NOT (m.as_cash OR m.reimbursement)
          AND NOT (g.kind = 'living_allowance'
              AND (m.session IS NOT NULL OR m.returnee_id IS NULL))""",
    "payment {0} left its budget on a day on which it does not pay": """
        SELECT m.id FROM payment m JOIN budget b ON b.id = m.budget_id
        WHERE m.released_at IS NOT NULL AND (
            m.released_at::date NOT BETWEEN b.starts_on - 1 AND b.ends_on + 1
            OR EXISTS (SELECT 1 FROM jsonb_array_elements(b.sources) s WHERE m.released_at::date
                       NOT BETWEEN (s ->> 'from')::date - 1 AND (s ->> 'until')::date + 1))""",
    "cash {0} left no float": """
        SELECT id FROM payment WHERE method = 'cash' AND released_by IS NOT NULL
            AND float_id IS NULL""",
    "payment {0} is finer than its currency": f"""
        SELECT id FROM payment WHERE amount <> round(amount, {decimals("currency")})
            OR payout <> round(payout, {decimals("payout_currency")})
        """,  # noqa: S608 - columns of ours
    "cash float {0} has another amount drawn than its payments": """
        SELECT f.id FROM cash_float f LEFT JOIN payment m
          ON m.float_id = f.id AND m.state IN ('released', 'confirmed', 'recovered')
        GROUP BY f.id HAVING coalesce(sum(m.payout), 0) <> f.drawn""",
}


async def verify(session: Session) -> Proof:
    """Prove the books in one snapshot; nothing is changed and nobody waits.

    Args:
        session: A session of which this is the first statement.
    """
    findings: list[str] = []
    await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    entries = (await session.execute(text("SELECT count(*) FROM journal_entry"))).scalar_one()
    postings = (await session.execute(text("SELECT count(*) FROM posting"))).scalar_one()
    for finding, query in CHECKS.items():
        rows: list[Any] = list(await session.execute(text(query)))
        findings += [finding.format(*row) for row in rows]
    return Proof(entries, postings, tuple(findings))

"""`homeward ledger verify`: the books proved from their postings, against the grants and payments they are about."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from chassis.db import Session


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


CHECKS = {
    "entry {0} does not balance": """
        SELECT e.id FROM journal_entry e LEFT JOIN posting p ON p.entry_id = e.id
        GROUP BY e.id HAVING count(p.id) < 2 OR sum(p.amount) <> 0""",
    "posting {0} is of another budget than its entry": """
        SELECT p.id FROM posting p JOIN journal_entry e ON e.id = p.entry_id WHERE p.budget_id <> e.budget_id""",
    "posting {0} is of another grant than its entry": """
        SELECT p.id FROM posting p JOIN journal_entry e ON e.id = p.entry_id
        WHERE p.grant_id IS DISTINCT FROM e.grant_id""",
    "entry {0} moves money otherwise than a {1} does": """
        SELECT e.id, e.kind FROM journal_entry e JOIN posting p ON p.entry_id = e.id
        LEFT JOIN (VALUES ('fund', 'funds', 'available'), ('reserve', 'available', 'reserved'),
                          ('release', 'reserved', 'available'), ('commit', 'reserved', 'committed'),
                          ('give_back', 'committed', 'available'), ('pay', 'committed', 'paid'),
                          ('reverse', 'paid', 'committed'), ('recover', 'paid', 'recovered'))
                  AS right_way (kind, source, target) ON right_way.kind = e.kind
        GROUP BY e.id, e.kind, right_way.source, right_way.target
        HAVING count(*) <> 2 OR count(*) FILTER (WHERE p.account = right_way.source AND p.amount < 0) <> 1
            OR count(*) FILTER (WHERE p.account = right_way.target AND p.amount > 0) <> 1""",
    "account {1} of budget {0} is not the sum of its postings": """
        SELECT coalesce(a.budget_id, s.budget_id), coalesce(a.account, s.account) FROM budget_account a
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
                   coalesce(sum(amount) FILTER (WHERE account IN ('committed', 'paid', 'recovered')), 0) AS spent,
                   coalesce(sum(amount) FILTER (WHERE account = 'committed'), 0) AS committed
            FROM posting WHERE grant_id = g.id) p ON true
        WHERE CASE WHEN g.state IN ('requested', 'quoted') THEN p.reserved <> g.amount OR p.spent <> 0
                   WHEN g.state IN ('approved', 'ordered', 'delivered') THEN p.reserved <> 0 OR p.spent <> g.amount
                   WHEN g.state = 'closed' THEN p.reserved <> 0 OR p.committed <> 0
                   ELSE p.reserved <> 0 OR p.spent <> 0 END""",
    "entry {0} is of a payment that there is not": """
        SELECT e.id FROM journal_entry e LEFT JOIN payment m ON m.id = e.payment_id
        WHERE (e.kind IN ('pay', 'reverse', 'recover')) <> (m.id IS NOT NULL) OR m.budget_id <> e.budget_id""",
    "payment {0} is not booked as its state says": """
        SELECT m.id FROM payment m LEFT JOIN journal_entry e ON e.payment_id = m.id
        LEFT JOIN posting p ON p.entry_id = e.id AND p.account = 'paid'
        GROUP BY m.id
        HAVING coalesce(sum(p.amount), 0) <> CASE WHEN m.state = 'confirmed' THEN m.amount ELSE 0 END
            OR count(e.id) FILTER (WHERE e.kind = 'pay') <> (m.state IN ('confirmed', 'reversed', 'recovered'))::int""",
    "grant {0} pays more than it is": """
        SELECT g.id FROM assistance_grant g JOIN payment m ON m.grant_id = g.id AND m.live
        GROUP BY g.id HAVING sum(m.amount) > g.amount""",
    "payment {0} was released without its approvals, its papers or a third person": """
        SELECT m.id FROM payment m JOIN assistance_grant g ON g.id = m.grant_id
        WHERE m.released_by IS NOT NULL
          AND (NOT m.papers_needed <@ m.papers_there OR m.released_by = m.scheduled_by
               OR m.released_by = ANY (g.preparers)
               OR EXISTS (SELECT 1 FROM approval a WHERE a.grant_id = g.id
                          AND (a.actor = m.released_by OR (a.actor = ANY (g.preparers) AND a.round = g.round)))
               OR (SELECT count(*) FROM approval a WHERE a.grant_id = g.id AND a.round = g.round)
                  < g.approvers_needed)""",
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

"""CHECKs of the codes of intake and people are made from the codes."""

from alembic import op

revision = "9e4b62d7f013"
down_revision = "c2f80d4e6b19"
branch_labels = None
depends_on = None

WRITTEN_BY_HAND = {
    ("access_request", "state_known"): "state IN ('requested', 'shared')",
    ("household_member", "member_known"): "member IN ('principal', 'adult', 'child')",
    ("journey", "state_known"): "state IN ('planned', 'confirmed', 'departed', 'not_departed',"
    " 'cancelled')",
    ("referral", "decider_known"): "decider IN ('partner', 'programme_office', 'referrer')",
    ("referral", "state_known"): "state IN ('submitted', 'information_requested', 'accepted',"
    " 'rejected', 'expired', 'withdrawn')",
    ("referral_batch", "state_known"): "state IN ('waiting', 'running', 'done')",
    ("referral_batch_item", "outcome_known"): "outcome IN ('submitted', 'replayed', 'refused')",
    ("returnee", "birth_precision_known"): "birth_precision IN ('day', 'month', 'year',"
    " 'estimated')",
}


def upgrade() -> None:
    for table, name in WRITTEN_BY_HAND:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")


def downgrade() -> None:
    for (table, name), condition in WRITTEN_BY_HAND.items():
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)

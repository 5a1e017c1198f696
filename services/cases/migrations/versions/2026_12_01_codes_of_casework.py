"""CHECKs of the codes of casework and follow-up are made from the codes."""

from alembic import op

revision = "7a1c93e0b5d2"
down_revision = "5c1e7a90d2b4"
branch_labels = None
depends_on = None

WRITTEN_BY_HAND = {
    ("case_file", "state_known"): "state IN ('pre_departure', 'arrived', 'in_delivery',"
    " 'monitoring', 'suspended', 'closed')",
    ("case_member", "member_known"): "member IN ('principal', 'adult', 'child')",
    ("deadline", "state_known"): "state IN ('open', 'paused', 'met', 'missed', 'waived',"
    " 'cancelled')",
    ("plan", "state_known"): "state IN ('draft', 'submitted', 'approved', 'returned',"
    " 'superseded')",
    ("case_transfer", "state_known"): "state IN ('offered', 'accepted', 'declined', 'withdrawn')",
    ("counselling_session", "phase_known"): "phase IN ('pre_departure', 'post_arrival')",
    ("document", "scan_known"): "scan IN ('not_scanned', 'clean')",
    ("plan_line_status", "status_known"): "status IN ('planned', 'requested', 'granted',"
    " 'in_delivery', 'delivered', 'cancelled')",
    ("screening", "priority_known"): "needs_priority IN ('routine', 'raised', 'urgent')",
    ("screening", "phase_known"): "phase IN ('pre_departure', 'post_arrival')",
    ("service_referral", "state_known"): "state IN ('sent', 'accepted', 'received',"
    " 'not_received')",
    ("visit", "state_known"): "state IN ('scheduled', 'recorded', 'cancelled')",
    ("vulnerability_flag", "status_known"): "status IN ('suspected', 'confirmed', 'resolved')",
}


def upgrade() -> None:
    for table, name in WRITTEN_BY_HAND:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")


def downgrade() -> None:
    for (table, name), condition in WRITTEN_BY_HAND.items():
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)

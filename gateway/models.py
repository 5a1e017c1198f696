"""The gateway's own tables: who may call, and one timeline per returnee."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import registry

from chassis.auth import OrganisationKind
from chassis.db import now
from chassis.tables import Table, column, new_metadata

KINDS = ", ".join(f"'{kind}'" for kind in OrganisationKind)


class Base(Table, registry=registry(metadata=new_metadata())):
    """Tables of the gateway."""


class Organisation(Base, table=True):
    """An organisation that takes part in the programmes."""

    __tablename__ = "organisation"
    __table_args__ = (
        CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 64", name="slug"),
        CheckConstraint(f"kind IN ({KINDS})", name="kind"),
    )

    slug: str = column(sa_type=Text, primary_key=True)
    kind: str = column(sa_type=Text)
    name: str = column(sa_type=Text, comment="of the organisation, never of a person")
    programmes: list[str] = column(sa_type=ARRAY(Text), server_default=text("'{}'"))
    version: int = column(sa_type=Integer, server_default=text("1"))
    created_at: datetime = column(sa_type=DateTime(timezone=True), server_default=now())
    updated_at: datetime = column(sa_type=DateTime(timezone=True), server_default=now())


class Client(Base, table=True):
    """A system of an organisation, which gets tokens for its secret."""

    __tablename__ = "client"
    __table_args__ = (
        CheckConstraint("cardinality(secret_hashes) BETWEEN 1 AND 2", name="one_or_two_secrets"),
        Index("ix_client_organisation", "organisation"),
        Index(
            "ix_client_revoked_at", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")
        ),
    )

    client_id: str = column(sa_type=Text, primary_key=True)
    organisation: str = column(foreign_key="organisation.slug")
    secret_hashes: list[str] = column(sa_type=ARRAY(Text), comment="argon2id, the newest first")
    scopes: list[str] = column(sa_type=ARRAY(Text))
    revoked_at: datetime | None = column(sa_type=DateTime(timezone=True))
    version: int = column(sa_type=Integer, server_default=text("1"))
    created_at: datetime = column(sa_type=DateTime(timezone=True), server_default=now())
    updated_at: datetime = column(sa_type=DateTime(timezone=True), server_default=now())


class TimelineEntry(Base, table=True):
    """A fact that a service published, as the timeline shows it."""

    __tablename__ = "timeline"
    __table_args__ = (
        Index("ix_timeline_subject", "subject", "occurred_at", "recorded_at"),
        Index("ix_timeline_source_type", "source", "type", "position"),
    )

    source: str = column(sa_type=Text, primary_key=True)
    position: int = column(sa_type=BigInteger, primary_key=True, autoincrement=False)
    epoch: UUID
    id: UUID
    subject: UUID | None = column(
        comment="the returnee, or what concerns several: a referral, a case; null of an erased "
        "person"
    )
    type: str = column(sa_type=Text)
    occurred_at: datetime = column(sa_type=DateTime(timezone=True))
    recorded_at: datetime = column(sa_type=DateTime(timezone=True))
    data: dict[str, Any] = column(sa_type=JSONB)
    audience: list[str] = column(sa_type=ARRAY(Text))
    still_for: list[str] | None = column(
        sa_type=ARRAY(Text),
        comment="of an erasure: who took part until then, as role/organisation, and must hear of "
        "it",
    )


class Relation(Base, table=True):
    """That a fact about a referral or a case concerns a returnee too."""

    __tablename__ = "relation"
    __table_args__ = (Index("ix_relation_returnee_id", "returnee_id"),)

    subject: UUID = column(primary_key=True)
    returnee_id: UUID = column(primary_key=True)

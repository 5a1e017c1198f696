"""The gateway's own tables: who may call, and one timeline per returnee."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.auth import OrganisationKind
from chassis.db import now
from chassis.tables import new_metadata

KINDS = ", ".join(f"'{kind}'" for kind in OrganisationKind)


class Base(DeclarativeBase):
    """Tables of the gateway."""

    metadata = new_metadata()


class Organisation(Base):
    """An organisation that takes part in the programmes."""

    __tablename__ = "organisation"
    __table_args__ = (
        CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 64", name="slug"),
        CheckConstraint(f"kind IN ({KINDS})", name="kind"),
    )

    slug: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text, comment="of the organisation, never of a person")
    programmes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=now())


class Client(Base):
    """A system of an organisation, which gets tokens for its secret."""

    __tablename__ = "client"
    __table_args__ = (
        CheckConstraint("cardinality(secret_hashes) BETWEEN 1 AND 2", name="one_or_two_secrets"),
        Index("ix_client_organisation", "organisation"),
        Index(
            "ix_client_revoked_at", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")
        ),
    )

    client_id: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("organisation.slug"))
    secret_hashes: Mapped[list[str]] = mapped_column(
        ARRAY(Text), comment="argon2id, the newest first"
    )
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=now())


class TimelineEntry(Base):
    """A fact that a service published, as the timeline shows it."""

    __tablename__ = "timeline"
    __table_args__ = (Index("ix_timeline_subject", "subject", "occurred_at", "recorded_at"),)

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    epoch: Mapped[UUID]
    id: Mapped[UUID]
    subject: Mapped[UUID | None] = mapped_column(
        comment="the returnee, or what concerns several: a referral, a case; null of an erased person"
    )
    type: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    audience: Mapped[list[str]] = mapped_column(ARRAY(Text))
    still_for: Mapped[list[str] | None] = mapped_column(
        ARRAY(Text),
        comment="of an erasure: who took part until then, as role/organisation, and must hear of it",
    )


class Relation(Base):
    """That a fact about a referral or a case concerns a returnee too."""

    __tablename__ = "relation"
    __table_args__ = (Index("ix_relation_returnee_id", "returnee_id"),)

    subject: Mapped[UUID] = mapped_column(primary_key=True)
    returnee_id: Mapped[UUID] = mapped_column(primary_key=True)

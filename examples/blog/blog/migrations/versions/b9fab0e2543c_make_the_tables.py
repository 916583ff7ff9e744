"""make the tables

Revision: b9fab0e2543c
Follows: nothing
Created: 2026-11-21 18:33:45
"""

import sqlalchemy as sa
from alembic import op

revision = "b9fab0e2543c"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of the blog, and those in which Demijohn keeps sessions and keys."""
    op.create_table(
        "products",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "name",
            sa.String(length=120)
            .with_variant(sa.String(length=120, collation="utf8mb4_nopad_bin"), "mariadb")
            .with_variant(sa.String(length=120, collation="utf8mb4_nopad_bin"), "mysql")
            .with_variant(sa.String(length=120, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("price", sa.Numeric(precision=10, scale=2), nullable=False),
        sa.Column("stock", sa.Integer(), nullable=False),
        sa.CheckConstraint("price >= 0", name="product_price"),
        sa.CheckConstraint("stock >= 0", name="product_stock"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("products", schema=None) as batch_op:
        batch_op.create_index("products_by_price", ["price", "id"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "username",
            sa.String(length=80)
            .with_variant(sa.String(length=80, collation="utf8mb4_nopad_bin"), "mariadb")
            .with_variant(sa.String(length=80, collation="utf8mb4_nopad_bin"), "mysql")
            .with_variant(sa.String(length=80, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "email",
            sa.String(length=120)
            .with_variant(sa.String(length=120, collation="utf8mb4_nopad_bin"), "mariadb")
            .with_variant(sa.String(length=120, collation="utf8mb4_nopad_bin"), "mysql")
            .with_variant(sa.String(length=120, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("password_hash", sa.String(length=256), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
        sa.UniqueConstraint("username"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index("users_by_time", ["created_at", "id"], unique=False)

    op.create_table(
        "posts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "title",
            sa.String(length=200)
            .with_variant(sa.String(length=200, collation="utf8mb4_nopad_bin"), "mariadb")
            .with_variant(sa.String(length=200, collation="utf8mb4_nopad_bin"), "mysql")
            .with_variant(sa.String(length=200, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("posts", schema=None) as batch_op:
        batch_op.create_index("posts_by_time", ["created_at", "id"], unique=False)
        batch_op.create_index("posts_by_title", ["title", "id"], unique=False)
        batch_op.create_index("posts_of_user_by_time", ["user_id", "created_at", "id"], unique=False)
        batch_op.create_index("posts_of_user_by_title", ["user_id", "title", "id"], unique=False)

    op.create_table(
        "demijohn_api_key",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user_key", sa.String(length=190), nullable=False),
        sa.Column("stamp", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("prefix", sa.String(length=20), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("demijohn_api_key", schema=None) as batch_op:
        batch_op.create_index("demijohn_api_key_hash", ["hash"], unique=True)
        batch_op.create_index("demijohn_api_key_user_key", ["user_key"], unique=False)

    op.create_table(
        "demijohn_refresh_token",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("nonce", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("hash"),
    )
    with op.batch_alter_table("demijohn_refresh_token", schema=None) as batch_op:
        batch_op.create_index("demijohn_refresh_token_expires_at", ["expires_at"], unique=False)
        batch_op.create_index("demijohn_refresh_token_session_id", ["session_id"], unique=False)

    op.create_table(
        "demijohn_session",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user_key", sa.String(length=190), nullable=False),
        sa.Column("stamp", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("demijohn_session", schema=None) as batch_op:
        batch_op.create_index("demijohn_session_expires_at", ["expires_at"], unique=False)
        batch_op.create_index("demijohn_session_user_key", ["user_key"], unique=False)


def downgrade() -> None:
    """Drop them; their indexes go along."""
    for table in (
        "demijohn_session",
        "demijohn_refresh_token",
        "demijohn_api_key",
        "posts",
        "users",
        "products",
    ):
        op.drop_table(table)

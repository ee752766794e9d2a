"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, String

revision = "0001"
down_revision = None
expand = True

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _goods()
    _customers()
    _orders()


def _goods() -> None:
    op.create_table(
        "categories",
        Column("slug", String(40), primary_key=True),
        Column("name", String(80), nullable=False),
        Column("position", Integer, nullable=False),
    )
    op.create_table(
        "products",
        Column("sku", String(40), primary_key=True),
        Column("name", String(80), nullable=False),
        Column("description", String(300), nullable=False),
        Column(
            "category_slug", String(40), ForeignKey("categories.slug"), nullable=False, index=True
        ),
        Column("unit", String(40), nullable=False),
        Column("price_cents", Integer, nullable=False),
        Column("stock", Integer, nullable=False),
        Column("shape", String(20), nullable=False),
        Column("tint", String(7), nullable=False),
        CheckConstraint("stock >= 0", name="stock"),
        CheckConstraint("price_cents >= 0", name="price"),
    )


def _customers() -> None:
    op.create_table(
        "users",
        Column("id", Integer, primary_key=True),
        Column("email", String(254), nullable=False, unique=True),
        Column("password_hash", String(255), nullable=False),
        Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "carts",
        Column("id", String(40), primary_key=True),
        Column("user_id", Integer, ForeignKey("users.id"), unique=True),
        Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "cart_items",
        Column("cart_id", String(40), ForeignKey("carts.id"), primary_key=True),
        Column("sku", String(40), ForeignKey("products.sku"), primary_key=True),
        Column("quantity", Integer, nullable=False),
        CheckConstraint("quantity BETWEEN 1 AND 99", name="quantity"),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        Column("number", String(20), primary_key=True),
        Column("cart_id", String(40), ForeignKey("carts.id"), nullable=False),
        Column("user_id", Integer, ForeignKey("users.id"), index=True),
        Column("email", String(254)),
        Column("total_cents", Integer, nullable=False),
        Column("created_at", TIME, nullable=False),
        Column("idempotency_key", String(255)),
        Column("asked_email", String(254)),
        sa.UniqueConstraint("cart_id", "idempotency_key"),
    )
    op.create_table(
        "order_lines",
        Column("order_number", String(20), ForeignKey("orders.number"), primary_key=True),
        Column("sku", String(40), ForeignKey("products.sku"), primary_key=True),
        Column("name", String(80), nullable=False),
        Column("price_cents", Integer, nullable=False),
        Column("quantity", Integer, nullable=False),
    )

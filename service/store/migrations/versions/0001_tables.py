"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
expand = True

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "categories",
        sa.Column("slug", sa.String(40), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("slug", name="pk_categories"),
    )
    op.create_table(
        "products",
        sa.Column("sku", sa.String(40), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("description", sa.String(300), nullable=False),
        sa.Column("category_slug", sa.String(40), nullable=False),
        sa.Column("unit", sa.String(40), nullable=False),
        sa.Column("price_cents", sa.Integer, nullable=False),
        sa.Column("stock", sa.Integer, nullable=False),
        sa.Column("shape", sa.String(20), nullable=False),
        sa.Column("tint", sa.String(7), nullable=False),
        sa.PrimaryKeyConstraint("sku", name="pk_products"),
        sa.ForeignKeyConstraint(
            ["category_slug"], ["categories.slug"], name="fk_products_category_slug"
        ),
        sa.CheckConstraint("stock >= 0", name=op.f("ck_products_stock")),
        sa.CheckConstraint("price_cents >= 0", name=op.f("ck_products_price")),
    )
    op.create_index("ix_products_category_slug", "products", ["category_slug"])
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "carts",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("user_id", sa.Integer),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_carts"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_carts_user_id"),
        sa.UniqueConstraint("user_id", name="uq_carts_user_id"),
    )
    op.create_table(
        "cart_items",
        sa.Column("cart_id", sa.String(40), nullable=False),
        sa.Column("sku", sa.String(40), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("cart_id", "sku", name="pk_cart_items"),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.id"], name="fk_cart_items_cart_id"),
        sa.ForeignKeyConstraint(["sku"], ["products.sku"], name="fk_cart_items_sku"),
        sa.CheckConstraint("quantity BETWEEN 1 AND 99", name=op.f("ck_cart_items_quantity")),
    )
    op.create_table(
        "orders",
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("cart_id", sa.String(40), nullable=False),
        sa.Column("user_id", sa.Integer),
        sa.Column("email", sa.String(254)),
        sa.Column("total_cents", sa.Integer, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("asked_email", sa.String(254)),
        sa.PrimaryKeyConstraint("number", name="pk_orders"),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.id"], name="fk_orders_cart_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_orders_user_id"),
        sa.UniqueConstraint("cart_id", "idempotency_key", name="uq_orders_cart_id"),
    )
    op.create_index("ix_orders_user_id", "orders", ["user_id"])
    op.create_table(
        "order_lines",
        sa.Column("order_number", sa.String(20), nullable=False),
        sa.Column("sku", sa.String(40), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("price_cents", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("order_number", "sku", name="pk_order_lines"),
        sa.ForeignKeyConstraint(
            ["order_number"], ["orders.number"], name="fk_order_lines_order_number"
        ),
        sa.ForeignKeyConstraint(["sku"], ["products.sku"], name="fk_order_lines_sku"),
    )

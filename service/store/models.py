"""The tables. Money is integer cents (euro); times are UTC."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    # Named, so that a later migration can address every constraint.
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Utc(sa.TypeDecorator[datetime]):
    """SQLite forgets the zone of a time: it comes back as UTC, as from PostgreSQL."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class Category(Base):
    __tablename__ = "categories"
    slug: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    position: Mapped[int]


class Product(Base):
    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("stock >= 0", name="stock"),
        CheckConstraint("price_cents >= 0", name="price"),
    )
    sku: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    description: Mapped[str] = mapped_column(String(300))
    category_slug: Mapped[str] = mapped_column(ForeignKey("categories.slug"), index=True)
    unit: Mapped[str] = mapped_column(String(40))
    price_cents: Mapped[int]
    stock: Mapped[int]
    shape: Mapped[str] = mapped_column(String(20))
    tint: Mapped[str] = mapped_column(String(7))
    category: Mapped[Category] = relationship(lazy="joined", innerjoin=True)


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)


class Cart(Base):
    __tablename__ = "carts"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)
    items: Mapped[list["CartItem"]] = relationship(
        order_by="CartItem.sku", cascade="all, delete-orphan", lazy="selectin"
    )

    @property
    def total_cents(self) -> int:
        return sum(item.total_cents for item in self.items)


class CartItem(Base):
    __tablename__ = "cart_items"
    __table_args__ = (CheckConstraint("quantity BETWEEN 1 AND 99", name="quantity"),)
    cart_id: Mapped[str] = mapped_column(ForeignKey("carts.id"), primary_key=True)
    sku: Mapped[str] = mapped_column(ForeignKey("products.sku"), primary_key=True)
    quantity: Mapped[int]
    product: Mapped[Product] = relationship(lazy="joined", innerjoin=True)

    @property
    def total_cents(self) -> int:
        return self.product.price_cents * self.quantity


class Order(Base):
    __tablename__ = "orders"
    __table_args__ = (sa.UniqueConstraint("cart_id", "idempotency_key"),)
    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    cart_id: Mapped[str] = mapped_column(ForeignKey("carts.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    email: Mapped[str | None] = mapped_column(String(254))
    total_cents: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    asked_email: Mapped[str | None] = mapped_column(String(254))
    lines: Mapped[list["OrderLine"]] = relationship(order_by="OrderLine.sku", lazy="selectin")


class OrderLine(Base):
    """A copy of what was sold: a later change of price or name leaves old orders alone."""

    __tablename__ = "order_lines"
    order_number: Mapped[str] = mapped_column(ForeignKey("orders.number"), primary_key=True)
    sku: Mapped[str] = mapped_column(ForeignKey("products.sku"), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    price_cents: Mapped[int]
    quantity: Mapped[int]

    @property
    def total_cents(self) -> int:
        return self.price_cents * self.quantity

"""Finding products."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.errors import NotFound
from store.models import Category, Product


@dataclass(frozen=True)
class Page:
    """One page of a search; pages count from 1, a page past the end is empty."""

    items: list[Product]
    number: int
    size: int
    total: int

    @property
    def last(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def next(self) -> int | None:
        return self.number + 1 if self.number < self.last else None


def categories(session: Session) -> list[Category]:
    return list(session.scalars(select(Category).order_by(Category.position)))


def search(session: Session, text: str, category: str, number: int, size: int) -> Page:
    """Products whose name or description holds `text`; empty means any."""
    query = select(Product).join(Product.category)
    if text:
        found = Product.name.icontains(text, autoescape=True)
        query = query.where(found | Product.description.icontains(text, autoescape=True))
    if category:
        query = query.where(Product.category_slug == category)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    order = query.order_by(Category.position, Product.name, Product.sku)
    items = session.scalars(order.offset((number - 1) * size).limit(size))
    return Page(list(items), number, size, total)


def product(session: Session, sku: str) -> Product:
    found = session.get(Product, sku)
    if found is None:
        raise NotFound(f"There is no product {sku}.")
    return found

"""The sample catalogue."""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
expand = True

CATALOGUE = Path(__file__).parents[1] / "catalogue.json"


def upgrade() -> None:
    categories = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    products = [
        {"category_slug": category["slug"], "stock": 250, **product}
        for category in categories
        for product in category.pop("products")
    ]
    for position, category in enumerate(categories):
        category["position"] = position
    op.bulk_insert(_table("categories", categories[0]), categories)
    op.bulk_insert(_table("products", products[0]), products)


def _table(name: str, row: dict[str, object]) -> sa.TableClause:
    return sa.table(name, *(sa.column(column) for column in row))

"""What comes in and what goes out; the OpenAPI document is made from these."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from store.carts import MAX_QUANTITY

# PostgreSQL has no NUL in text. Lone surrogates never get here: pydantic refuses them.
NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
# In paths these stand without anchors: anything else is 404 before a view runs.
SKU = "[a-z0-9-]{1,40}"
CART_ID = "[A-Za-z0-9_-]{22}"
ORDER_NUMBER = "[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}"
ADDRESS = r"^[!-?A-~]{1,64}@[!-?A-~]{1,189}$"

Email = Annotated[str, Field(pattern=ADDRESS), AfterValidator(str.lower)]
Key = Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]
Cents = Annotated[int, Field(ge=0, description="euro cents")]


def _number(value: object, info: ValidationInfo) -> object:
    # JSON knows one kind of number: 2.0 is an integer, "2" and true are not.
    if info.mode == "json" and isinstance(value, str | bool):
        raise ValueError("should be a number")
    return value


class In(BaseModel):
    """A misspelt member is refused: silence would hide it."""

    model_config = ConfigDict(extra="forbid")


class ProductQuery(BaseModel):
    q: str = Field("", max_length=80, pattern=NO_CONTROLS)
    category: str = Field("", max_length=40, pattern=r"^[a-z0-9-]*$")
    page: int = Field(1, ge=1, le=10_000)
    per_page: int = Field(20, ge=1, le=100)


class Quantity(In):
    quantity: Annotated[int, BeforeValidator(_number)] = Field(
        ge=0, le=MAX_QUANTITY, description="0 takes it out"
    )


class Added(In):
    """The form's wish: so many more of a product."""

    sku: str = Field(pattern=f"^{SKU}$")
    quantity: int = Field(1, ge=1, le=MAX_QUANTITY)


class NewOrder(In):
    cart_id: str = Field(pattern=f"^{CART_ID}$")
    email: Email | None = Field(None, description="default: the account's")


class Checkout(In):
    """The form's order: its cart is the session's."""

    email: Email | None = None
    key: Key | None = None


class Credentials(In):
    email: Email
    password: str = Field(min_length=8, max_length=128)


class OrderHeaders(BaseModel):
    """Answers 422 where the key came before on this cart with another body."""

    idempotency_key: Key | None = Field(
        None,
        alias="Idempotency-Key",
        description="The same key and body on the same cart give the same order again.",
    )


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ProductOut(Out):
    sku: str
    name: str
    description: str
    category: str = Field(validation_alias="category_slug")
    unit: str
    price_cents: Cents
    stock: int


class ProductPage(Out):
    items: list[ProductOut]
    page: int
    per_page: int
    total: int
    next: str | None = Field(description="path of the next page")


class CategoryOut(Out):
    slug: str
    name: str


class Categories(Out):
    items: list[CategoryOut]


class CartItemOut(Out):
    sku: str
    quantity: int
    total_cents: Cents


class CartOut(Out):
    id: str
    items: list[CartItemOut]
    total_cents: Cents


class LineOut(CartItemOut):
    name: str
    price_cents: Cents


class OrderOut(Out):
    number: str
    email: str | None
    created_at: datetime
    lines: list[LineOut]
    total_cents: Cents


class Orders(Out):
    items: list[OrderOut]


class UserOut(Out):
    email: str


class Account(UserOut):
    cart_id: str


class FieldError(BaseModel):
    field: str
    detail: str


class Problem(BaseModel):
    """RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str | None = Field(None, description="a stable word for programs")
    errors: list[FieldError] | None = None

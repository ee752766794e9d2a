"""Orders: stock never goes below zero, and a repeated key never orders twice."""

import secrets

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store import carts
from store.errors import CartEmpty, KeyReused, NotFound, OutOfStock
from store.models import Cart, Order, OrderLine, Product, User

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: nothing reads as another


def place(
    session: Session, cart_id: str, user: User | None, email: str | None, key: str | None
) -> tuple[Order, bool]:
    """The order of what is in the cart, and whether it is new.

    The same key on the same cart gives the same order again; with another e-mail address it
    raises KeyReused. Raises NotFound, CartEmpty, OutOfStock: then nothing has changed.
    """
    cart = carts.lock(session, cart_id)
    query = select(Order).filter_by(cart_id=cart_id, idempotency_key=key)
    earlier = session.scalar(query) if key else None
    if earlier is not None:
        if earlier.asked_email != email:
            raise KeyReused("This Idempotency-Key came before with another request.")
        return earlier, False
    order = _order(session, cart, user, email)
    order.idempotency_key, order.asked_email = key, email
    cart.items.clear()
    session.commit()
    return order, True


def _order(session: Session, cart: Cart, user: User | None, email: str | None) -> Order:
    if not cart.items:
        raise CartEmpty("The cart is empty.")
    lines = [_take(session, item.product, item.quantity) for item in cart.items]
    order = Order(
        number=_number(),
        cart_id=cart.id,
        user_id=user.id if user else None,
        email=email or (user.email if user else None),
        total_cents=sum(line.total_cents for line in lines),
        lines=lines,
    )
    session.add(order)
    return order


def _take(session: Session, product: Product, quantity: int) -> OrderLine:
    # One conditional statement: between a look and a change another order could come.
    # The cart is sorted by SKU, so two orders take their row locks in the same order.
    taken = session.execute(
        update(Product)
        .where(Product.sku == product.sku, Product.stock >= quantity)
        .values(stock=Product.stock - quantity)
        .returning(Product.price_cents)
        .execution_options(synchronize_session=False)
    ).scalar()
    if taken is None:
        raise OutOfStock(f"Only {product.stock} of {product.name} left, {quantity} wanted.")
    return OrderLine(sku=product.sku, name=product.name, price_cents=taken, quantity=quantity)


def _number() -> str:
    """60 random bits: a guest's order is open to whoever knows its number."""
    text = "".join(secrets.choice(ALPHABET) for _ in range(12))
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"


def find(session: Session, number: str, user: User | None) -> Order:
    """A guest's order by its number; an account's order only for that account."""
    order = session.get(Order, number)
    if order is None or order.user_id not in (None, user.id if user else None):
        raise NotFound(f"There is no order {number}.")
    return order


def history(session: Session, user: User) -> list[Order]:
    """The newest hundred orders of an account."""
    query = select(Order).where(Order.user_id == user.id)
    return list(session.scalars(query.order_by(Order.created_at.desc(), Order.number).limit(100)))

"""Carts: whoever knows a cart's unguessable id may fill it."""

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from store import catalogue
from store.db import begin_write
from store.errors import NotFound
from store.models import Cart, CartItem

MAX_QUANTITY = 99


def create(session: Session, user_id: int | None = None) -> Cart:
    begin_write(session)
    cart = add(session, user_id)
    session.commit()
    return cart


def add(session: Session, user_id: int | None) -> Cart:
    """A new cart within the caller's transaction."""
    cart = Cart(id=secrets.token_urlsafe(16), user_id=user_id, items=[])
    session.add(cart)
    return cart


def find(session: Session, cart_id: str) -> Cart:
    cart = session.get(Cart, cart_id)
    if cart is None:
        raise NotFound("There is no such cart.")
    return cart


def lock(session: Session, cart_id: str) -> Cart:
    """Start writing and keep other writers off this cart until the commit."""
    begin_write(session)
    query = select(Cart).where(Cart.id == cart_id).with_for_update(of=Cart)
    cart = session.scalar(query.execution_options(populate_existing=True))
    if cart is None:
        raise NotFound("There is no such cart.")
    return cart


def put(session: Session, cart_id: str, sku: str, quantity: int) -> Cart:
    """Set how many of a product (0 to 99) are in the cart; 0 takes it out."""
    cart = lock(session, cart_id)
    _set(cart, sku, quantity, session)
    session.commit()
    return cart


def add_item(session: Session, cart_id: str, sku: str, quantity: int) -> Cart:
    """Put so many more into the cart, up to 99 of one product."""
    cart = lock(session, cart_id)
    _set(cart, sku, _quantity(cart, sku) + quantity, session)
    session.commit()
    return cart


def merge(session: Session, source: Cart, target: Cart) -> None:
    """Move what a guest gathered into the cart of the account, in the caller's transaction."""
    for item in source.items:
        _set(target, item.sku, _quantity(target, item.sku) + item.quantity, session)
    source.items.clear()


def _quantity(cart: Cart, sku: str) -> int:
    return next((item.quantity for item in cart.items if item.sku == sku), 0)


def _set(cart: Cart, sku: str, quantity: int, session: Session) -> None:
    item = next((item for item in cart.items if item.sku == sku), None)
    product = catalogue.product(session, sku)
    if item and quantity == 0:
        cart.items.remove(item)
    elif item:
        item.quantity = min(quantity, MAX_QUANTITY)
    elif quantity:
        cart.items.append(CartItem(sku=sku, quantity=min(quantity, MAX_QUANTITY), product=product))
        cart.items.sort(key=lambda item: item.sku)

"""Carts: whoever knows a cart's unguessable id may fill it."""

import secrets

from sqlalchemy.orm import Session

from store import catalogue
from store.db import begin_write
from store.errors import NotFound
from store.models import Cart, CartItem

MAX_QUANTITY = 99


def create(session: Session) -> Cart:
    begin_write(session)
    cart = add(session, user_id=None)
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
    session.get(Cart, cart_id, with_for_update=True, populate_existing=True)
    return find(session, cart_id)


def put(session: Session, cart_id: str, sku: str, quantity: int) -> Cart:
    """Set how many of a product (0 to 99) are in the cart; 0 takes it out."""
    cart = lock(session, cart_id)
    _set(session, cart, sku, quantity)
    session.commit()
    return cart


def add_item(session: Session, cart_id: str, sku: str, quantity: int) -> Cart:
    """Put so many more into the cart, up to 99 of one product."""
    cart = lock(session, cart_id)
    _add(session, cart, sku, quantity)
    session.commit()
    return cart


def merge(session: Session, source: Cart, target: Cart) -> None:
    """Move what a guest gathered into the cart of the account, in the caller's transaction."""
    for item in source.items:
        _add(session, target, item.sku, item.quantity)
    source.items.clear()


def _add(session: Session, cart: Cart, sku: str, quantity: int) -> None:
    held = sum(item.quantity for item in cart.items if item.sku == sku)
    _set(session, cart, sku, held + quantity)


def _set(session: Session, cart: Cart, sku: str, quantity: int) -> None:
    product = catalogue.product(session, sku)
    item = next((item for item in cart.items if item.sku == sku), None)
    item = item or CartItem(sku=sku, product=product)
    item.quantity = min(quantity, MAX_QUANTITY)
    items = {*cart.items, item} if quantity else {*cart.items} - {item}
    # Sorted by SKU, as the database gives them: it is the order in which stock is locked.
    cart.items = sorted(items, key=lambda item: item.sku)

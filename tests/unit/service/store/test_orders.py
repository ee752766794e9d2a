"""The rules of ordering, on a real database."""

import re
import threading

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store import carts, catalogue, orders, users
from store.errors import CartEmpty, KeyReused, NotFound, OutOfStock
from store.models import Order, OrderLine, Product


def filled(session: Session, **wanted: int) -> str:
    cart = carts.create(session)
    for sku, quantity in wanted.items():
        carts.put(session, cart.id, sku, quantity)
    return cart.id


def stock(session: Session, sku: str) -> int:
    session.rollback()
    session.expire_all()
    return catalogue.product(session, sku).stock


def test_an_order_takes_stock_and_empties_the_cart(session: Session) -> None:
    before = stock(session, "eggs")
    cart = filled(session, eggs=2, honey=1)
    order, new = orders.place(session, cart, None, "a@example.com", None)
    assert new
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", order.number)
    assert order.total_cents == 2 * 399 + 649
    assert stock(session, "eggs") == before - 2
    assert carts.find(session, cart).items == []


def test_a_later_price_leaves_the_order_alone(session: Session) -> None:
    order, _ = orders.place(session, filled(session, eggs=1), None, None, None)
    catalogue.product(session, "eggs").price_cents = 1
    session.commit()
    session.expire_all()
    assert session.get_one(Order, order.number).lines[0].price_cents == 399


def test_a_repeated_key_gives_the_same_order(session: Session) -> None:
    cart = filled(session, eggs=1)
    first, _ = orders.place(session, cart, None, None, "key")
    carts.put(session, cart, "honey", 1)
    again, new = orders.place(session, cart, None, None, "key")
    assert (again.number, new) == (first.number, False)
    assert [item.sku for item in carts.find(session, cart).items] == ["honey"]


def test_a_repeated_key_with_another_body_is_refused(session: Session) -> None:
    cart = filled(session, eggs=1)
    orders.place(session, cart, None, None, "key")
    with pytest.raises(KeyReused):
        orders.place(session, cart, None, "other@example.com", "key")


def test_a_key_belongs_to_one_cart(session: Session) -> None:
    first, _ = orders.place(session, filled(session, eggs=1), None, None, "1")
    second, new = orders.place(session, filled(session, eggs=1), None, None, "1")
    assert new
    assert first.number != second.number


def test_an_empty_cart_is_refused(session: Session) -> None:
    with pytest.raises(CartEmpty):
        orders.place(session, filled(session), None, None, None)


def test_too_little_stock_changes_nothing(session: Session) -> None:
    cart = filled(session, **{"apples-elstar": 3, "eggs": 3})
    catalogue.product(session, "eggs").stock = 2
    session.commit()
    apples = stock(session, "apples-elstar")
    with pytest.raises(OutOfStock, match="Only 2 of Eggs left, 3 wanted"):
        orders.place(session, cart, None, None, None)
    assert (stock(session, "apples-elstar"), stock(session, "eggs")) == (apples, 2)
    assert len(carts.find(session, cart).items) == 2


def test_an_accounts_order_is_for_the_account_only(session: Session) -> None:
    owner = users.sign_up(session, "owner@example.com", "long enough")
    other = users.sign_up(session, "other@example.com", "long enough")
    order, _ = orders.place(session, filled(session, eggs=1), owner, None, None)
    assert order.email == "owner@example.com"
    assert orders.find(session, order.number, owner) is order
    assert orders.history(session, owner) == [order]
    for stranger in (other, None):
        with pytest.raises(NotFound):
            orders.find(session, order.number, stranger)


def together(app: Flask, count: int, work: list[str], key: str | None) -> list[object]:
    """Place orders from `count` threads at once; each gives its number or its error."""
    results: list[object] = [None] * count
    barrier = threading.Barrier(count, timeout=10)

    def one(index: int) -> None:
        with Session(app.extensions["database"].engine(), expire_on_commit=False) as session:
            barrier.wait()
            try:
                order, _ = orders.place(session, work[index % len(work)], None, None, key)
                results[index] = order.number
            except OutOfStock as error:
                results[index] = error

    threads = [threading.Thread(target=one, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


def test_stock_never_goes_below_zero(app: Flask, session: Session) -> None:
    catalogue.product(session, "eggs").stock = 5
    session.commit()
    results = together(app, 12, [filled(session, eggs=1) for _ in range(12)], key=None)
    assert stock(session, "eggs") == 0
    assert sum(isinstance(result, str) for result in results) == 5
    assert sum(isinstance(result, OutOfStock) for result in results) == 7
    assert session.scalar(select(func.sum(OrderLine.quantity))) == 5


def test_the_same_key_at_once_is_one_order(app: Flask, session: Session) -> None:
    numbers = together(app, 8, [filled(session, eggs=1)], key="once")
    assert len(set(numbers)) == 1
    assert session.scalar(select(func.count()).select_from(Order)) == 1


def test_the_table_itself_refuses_negative_stock(session: Session) -> None:
    from sqlalchemy.exc import IntegrityError

    session.get_one(Product, "eggs").stock = -1
    with pytest.raises(IntegrityError, match="ck_products_stock"):
        session.commit()

import pytest
from sqlalchemy.orm import Session

from store import carts, users
from store.errors import EmailTaken, WrongCredentials

EMAIL, PASSWORD = "ann@example.com", "long enough"


def test_a_password_is_stored_as_a_hash(session: Session) -> None:
    user = users.sign_up(session, EMAIL, PASSWORD)
    assert PASSWORD not in user.password_hash
    assert user.password_hash.startswith("scrypt:")


def test_one_account_for_an_address(session: Session) -> None:
    users.sign_up(session, EMAIL, PASSWORD)
    with pytest.raises(EmailTaken):
        users.sign_up(session, EMAIL, PASSWORD)


@pytest.mark.parametrize(("email", "password"), [(EMAIL, "wrong one"), ("x@example.com", PASSWORD)])
def test_wrong_credentials_are_not_told_apart(session: Session, email: str, password: str) -> None:
    users.sign_up(session, EMAIL, PASSWORD)
    with pytest.raises(WrongCredentials, match=r"^E-mail address or password is wrong\.$"):
        users.log_in(session, email, password, None)


def test_the_guests_cart_joins_the_accounts_cart(session: Session) -> None:
    user = users.sign_up(session, EMAIL, PASSWORD)
    own = users.log_in(session, EMAIL, PASSWORD, None)[1]
    carts.put(session, own.id, "eggs", 98)
    guest = carts.create(session)
    carts.put(session, guest.id, "eggs", 2)
    carts.put(session, guest.id, "honey", 1)
    _, cart = users.log_in(session, EMAIL, PASSWORD, guest.id)
    session.expire_all()
    assert (cart.id, cart.user_id) == (own.id, user.id)
    assert {item.sku: item.quantity for item in cart.items} == {"eggs": 99, "honey": 1}
    assert guest.items == []


def test_another_accounts_cart_is_not_emptied(session: Session) -> None:
    users.sign_up(session, EMAIL, PASSWORD)
    theirs = users.log_in(session, EMAIL, PASSWORD, None)[1]
    carts.put(session, theirs.id, "eggs", 1)
    users.sign_up(session, "bob@example.com", PASSWORD)
    _, cart = users.log_in(session, "bob@example.com", PASSWORD, theirs.id)
    assert cart.items == []
    assert len(carts.find(session, theirs.id).items) == 1

"""Accounts."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from store import carts
from store.db import begin_write
from store.errors import EmailTaken, WrongCredentials
from store.models import Cart, User

# A wrong address costs the same time as a wrong password, so it cannot be told apart.
UNKNOWN = generate_password_hash("nobody has this password")


def sign_up(session: Session, email: str, password: str) -> User:
    """Raise EmailTaken where the address has an account."""
    # Hashing is slow on purpose: it happens before the write lock is taken.
    user = User(email=email, password_hash=generate_password_hash(password))
    begin_write(session)
    session.add(user)
    try:
        session.commit()
    except IntegrityError as error:
        raise EmailTaken(f"There is an account for {email} already.") from error
    return user


def log_in(session: Session, email: str, password: str, cart_id: str | None) -> tuple[User, Cart]:
    """The account and its cart, with what the guest's cart held; raises WrongCredentials."""
    user = session.scalar(select(User).where(User.email == email))
    session.rollback()
    if not check_password_hash(user.password_hash if user else UNKNOWN, password) or user is None:
        raise WrongCredentials("E-mail address or password is wrong.")
    return user, _cart(session, user.id, cart_id)


def _cart(session: Session, user_id: int, guest_cart_id: str | None) -> Cart:
    begin_write(session)
    # Two log-ins at once: the second waits here, and finds the first one's cart.
    session.scalar(select(User.id).where(User.id == user_id).with_for_update())
    cart = session.scalar(select(Cart).where(Cart.user_id == user_id))
    cart = cart or carts.add(session, user_id)
    guest = session.get(Cart, guest_cart_id, with_for_update=True) if guest_cart_id else None
    if guest is not None and guest.user_id is None:
        carts.merge(session, guest, cart)
    session.commit()
    return cart

"""The pages: forms and links only, no script."""

from typing import TypeVar
from uuid import uuid4

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from pydantic import BaseModel, ValidationError
from werkzeug.wrappers import Response

from store import carts, catalogue, db, orders, users
from store.api import current_user, start_session
from store.errors import StoreError
from store.models import Cart
from store.schemas import Added, Checkout, Credentials, ProductQuery, Quantity

pages = Blueprint("pages", __name__)
Form = TypeVar("Form", bound=BaseModel)


@pages.app_template_filter("money")
def money(cents: int) -> str:
    """Euro, from cents."""
    return f"€\N{NO-BREAK SPACE}{cents // 100}.{cents % 100:02}"


@pages.app_context_processor
def _header() -> dict[str, object]:
    # Not on error pages: they must not need the database.
    return {"cart_size": session.get("size", 0), "email": session.get("email")}


@pages.get("/")
def products() -> str:
    query = _query()
    page = catalogue.search(db.session(), query.q, query.category, query.page, 24)
    return render_template(
        "products.html", page=page, query=query, categories=catalogue.categories(db.session())
    )


@pages.get("/cart")
def cart() -> str:
    # The hidden key makes a double click on "order" one order.
    return render_template("cart.html", cart=_find_cart(), key=uuid4().hex)


@pages.post("/cart/items")
def add_item() -> Response:
    form = _form(Added)
    found = _find_cart() or carts.create(db.session())
    _remember(carts.add_item(db.session(), found.id, form.sku, form.quantity))
    flash(f"{catalogue.product(db.session(), form.sku).name} is in your cart.")
    # Back to the shelf that the form was on: never a link to elsewhere.
    return redirect(url_for("pages.products", **_query().model_dump(exclude_defaults=True)))


@pages.post("/cart/items/<sku:sku>")
def set_item(sku: str) -> Response:
    quantity = _form(Quantity).quantity
    _remember(carts.put(db.session(), session.get("cart", ""), sku, quantity))
    return redirect(url_for("pages.cart"))


@pages.post("/orders")
def place_order() -> Response:
    cart_id, user = session.get("cart", ""), current_user()
    try:
        form = _form(Checkout)
        order, _ = orders.place(db.session(), cart_id, user, form.email, form.key)
    except (StoreError, ValidationError) as error:
        flash(_sentence(error), "error")
        return redirect(url_for("pages.cart"))
    session["size"] = 0
    return redirect(url_for("pages.order", number=order.number))


@pages.get("/orders")
def history() -> str | Response:
    user = current_user()
    if user is None:
        return redirect(url_for("pages.login"))
    return render_template("orders.html", orders=orders.history(db.session(), user))


@pages.get("/orders/<number:number>")
def order(number: str) -> str:
    return render_template("order.html", order=orders.find(db.session(), number, current_user()))


@pages.route("/login", endpoint="login", methods=["GET", "POST"], defaults={"new": False})
@pages.route("/signup", endpoint="signup", methods=["GET", "POST"], defaults={"new": True})
def account(new: bool) -> Response | tuple[str, int]:
    status = 200
    if request.method == "POST":
        try:
            _enter(_form(Credentials), new)
            return redirect(url_for("pages.products"))
        except (StoreError, ValidationError) as error:
            flash(_sentence(error), "error")
            status = error.status if isinstance(error, StoreError) else 422
    return render_template("account.html", new=new), status


def _enter(form: Credentials, new: bool) -> None:
    if new:
        users.sign_up(db.session(), form.email, form.password)
    user, cart = users.log_in(db.session(), form.email, form.password, session.get("cart"))
    start_session(user, cart)
    _remember(cart)
    session["email"] = user.email


@pages.post("/logout")
def logout() -> Response:
    session.clear()
    return redirect(url_for("pages.products"))


def _form(model: type[Form]) -> Form:
    """What was filled in; the token and the button are none of the model's business."""
    fields = {name: request.form.get(name) for name in model.model_fields}
    return model.model_validate_strings({name: fields[name] for name in fields if fields[name]})


def _find_cart() -> Cart | None:
    return db.session().get(Cart, session["cart"]) if "cart" in session else None


def _remember(cart: Cart) -> None:
    session["cart"] = cart.id
    session["size"] = sum(item.quantity for item in cart.items)


def _query() -> ProductQuery:
    return ProductQuery.model_validate(request.args.to_dict())


def _sentence(error: StoreError | ValidationError) -> str:
    if isinstance(error, StoreError):
        return str(error)
    if any(item["loc"] == ("password",) for item in error.errors()):
        return "The password needs 8 to 128 characters."
    return "That does not look like an e-mail address."

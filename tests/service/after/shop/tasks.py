"""What the worker does."""

import csv

from . import audience, outbox, settings
from .models import Order
from .purposes import ADVERTISING, ORDERS
from .worker import celery


@celery.task(purposes=(ORDERS,))
def send_receipt(order: Order) -> None:
    outbox.mail(order.email, f"Order {order.id}: {order.item} will be sent to {order.address}")


@celery.task(purposes=(ADVERTISING,))
def export_audience(partner: str, way: str = "model") -> int:
    """Write the file that an advertising partner fetches at night."""
    rows = audience.WAYS[way]()
    with (settings.FOLDER / f"audience-{partner}.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return len(rows)

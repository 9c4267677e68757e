"""The Celery application: `celery -A shop.worker worker`."""

from celery import Celery

from purposebind.integrations.celery import install

from . import settings
from .purposes import start

celery = Celery("shop", broker=settings.BROKER, backend=settings.RESULTS, include=["shop.tasks"])
celery.conf.broker_transport_options = settings.BROKER_OPTIONS
start()
install(celery, keys=settings.KEYS)

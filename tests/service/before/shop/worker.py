"""The Celery application: `celery -A shop.worker worker`."""

from celery import Celery

from . import settings

celery = Celery("shop", broker=settings.BROKER, backend=settings.RESULTS, include=["shop.tasks"])
celery.conf.broker_transport_options = settings.BROKER_OPTIONS

"""The web application: `uvicorn shop.main:app`."""

import logging

from fastapi import FastAPI

from purposebind.integrations.fastapi import install, require_purposes

from . import ads, login, orders, profile, recovery
from .purposes import start

logging.basicConfig(level=logging.INFO)
start()

app = FastAPI(title="shop")
for part in (login, recovery, profile, orders, ads):
    app.include_router(part.router)
install(app)
require_purposes(app)

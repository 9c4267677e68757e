"""The web application: `uvicorn shop.main:app`."""

import logging

from fastapi import FastAPI

from . import ads, login, orders, profile, recovery

logging.basicConfig(level=logging.INFO)

app = FastAPI(title="shop")
for part in (login, recovery, profile, orders, ads):
    app.include_router(part.router)

"""What differs from one installation to the next."""

import json
import os
from pathlib import Path

FOLDER = Path(os.environ.get("SHOP_FOLDER", "."))
DATABASE = os.environ.get("SHOP_DATABASE", f"sqlite:///{FOLDER / 'shop.db'}?timeout=30")
BROKER = os.environ.get("SHOP_BROKER", "redis://localhost:6379/0")
BROKER_OPTIONS = json.loads(os.environ.get("SHOP_BROKER_OPTIONS", "{}"))
RESULTS = os.environ.get("SHOP_RESULTS", BROKER)
STAFF_TOKEN = os.environ.get("SHOP_STAFF_TOKEN", "for-staff-only")
KEYS = os.environ["SHOP_KEYS"].encode().split()

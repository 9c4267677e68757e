"""What the shop uses personal data for, in the words of its privacy notice."""

from purposebind import Purpose, configure
from purposebind.ledger import Ledger

from . import settings

SECURITY = Purpose("security", "Keep accounts safe")
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")
RECOVERY = SECURITY.child("recovery", "Let people back into their account")
OWN_DATA = Purpose("own_data", "Show people what we know of them")
MEMBERS = Purpose("members", "Show members who else is there")
ORDERS = Purpose("orders", "Take, confirm and ship orders")
ADVERTISING = Purpose("advertising", "Choose and measure ads")

ORDERS.may_hand_over_to(TWO_FACTOR, reason="An expensive order is confirmed with a code")

LEDGER = Ledger(settings.FOLDER / "ledger", service="shop")


def start() -> None:
    """Call this once in each process."""
    configure(mode="enforce", ledger=LEDGER)

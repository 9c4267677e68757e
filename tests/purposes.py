"""The purposes that tests share; they are the ones of the demo, because a purpose is declared once in a process."""

from purposebind import Purpose

SECURITY = Purpose("security", "Keep accounts safe")
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")
RECOVERY = SECURITY.child("recovery", "Let people back into their account")
ADVERTISING = Purpose("advertising", "Choose and measure ads")

SECRET = "+15550199731"
"""A phone number that occurs nowhere else, for tests to look for."""

from purposebind import Purpose

SECURITY = Purpose("security", "Keep accounts safe")
TWO_FACTOR = SECURITY.child("two_factor", "Send a login code")
RECOVERY = SECURITY.child("recovery", "Let people back in")
ADVERTISING = Purpose("advertising", "Choose and measure ads")
SUPPORT = Purpose("support", "Answer questions")

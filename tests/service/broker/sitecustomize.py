"""See `wholefiles`."""

import wholefiles

wholefiles.install()

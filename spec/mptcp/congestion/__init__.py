"""How fast: congestion controllers, which see windows and never subflows."""

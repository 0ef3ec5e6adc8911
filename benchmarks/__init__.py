"""How fast the decisions are, beside peers and floors, always as ratios within one run."""

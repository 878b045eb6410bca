"""Error mitigation around primitives."""

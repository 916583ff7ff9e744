"""Mappings for `demijohn import`: how the rows of other people's files become books."""

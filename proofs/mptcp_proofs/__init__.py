"""The evidence: claims that property tests and provers share, and the ledger of clauses."""

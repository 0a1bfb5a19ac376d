"""InfoNav: the ledger of what is known and unknown, with evidence; in come facts, out goes what two ledgers agree on."""

"""Personal agents: InfoNav ledger, dialogue, consultation of third parties, consensus, disclosure."""

"""How much memory does a process use? Rules, exact attribution and the ledger over snapshots."""

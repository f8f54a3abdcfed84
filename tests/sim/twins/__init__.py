"""The simulator and the slow model side by side: booted alike, driven alike, compared."""

"""External lines and SIP trunks: registration, liveness, and how calls look on them."""

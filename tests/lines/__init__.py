"""Tests of external lines and SIP trunks."""

"""Predictions, and the campaigns made from them."""

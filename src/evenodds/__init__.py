"""Logistic regression, done completely."""

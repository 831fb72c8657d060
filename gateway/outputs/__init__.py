"""Carries out `OutputOrdered`: sirens, strobes, locks, paging, each with its receipt rule.

Nothing lives here yet; no response plan can order an output until it does.
"""

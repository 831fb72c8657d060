"""Tests mirror the rooms; a package, so that no other distribution can pass for it."""

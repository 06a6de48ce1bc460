"""Bringing a store from one database into another, of whatever kind, whole and checked or not at all."""

"""Asking for cells: measured when first asked for, stored, then read back."""

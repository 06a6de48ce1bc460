"""What people see: tables, lines and the live view, made from plain values."""

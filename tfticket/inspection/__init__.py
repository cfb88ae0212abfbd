"""Inspection of tickets: survivors, those that lie on a path, weights, and the overlap of tickets.

``ticket`` reads and inspects a ticket, ``comparison`` compares several: they need TensorFlow.
``result``, ``files`` and ``run_tickets`` do without it, for reports and the window.
"""

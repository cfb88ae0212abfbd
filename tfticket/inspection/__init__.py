"""Inside a ticket: what survives, what of it works, and how tickets differ.

``ticket`` inspects a ticket, ``comparison`` compares several, ``load`` reads one that a run has: they need TensorFlow.
``result``, ``files`` and ``run_tickets`` do without, for reports and the window.
"""

"""Figures of a report: each function returns a matplotlib ``Figure``.

Arguments that the functions share: ``title`` names network and data; ``legend_title`` states the meaning of lines and
bands; ``styles`` are those of all arms of the report, by default of the arms in the figure.
"""

"""JSON and dates, read strictly."""

"""JSON and datetimes, parsed strictly."""

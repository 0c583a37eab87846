"""The service from afar: what `umbra remote` and `api.client` are made of."""

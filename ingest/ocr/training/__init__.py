"""Training on rendered glyphs: ``python -m ingest.ocr.training``; needs the extra ``ocr``."""

"""The domain: plans, results, times, tracking, light curves, reports."""

"""Report forms of occultations: one file each, all written from one `reduction.record.ObservationRecord`."""

"""What a reduction leaves behind: tables, summary, figures and the report, in one folder."""

from reduction.outputs.folder import FILES, check_out, write_outputs

__all__ = ["FILES", "check_out", "write_outputs"]

"""The post-run report: one page, the same numbers for machines, and the files of a run."""

from latemiles.report.files import write_outputs
from latemiles.report.render import render_report
from latemiles.report.summary import summary_dict

__all__ = ["render_report", "summary_dict", "write_outputs"]

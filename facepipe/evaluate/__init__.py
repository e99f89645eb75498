"""Quality of results: metrics, plots and reports."""

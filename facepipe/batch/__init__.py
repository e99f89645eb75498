"""Many items: jobs as rows, a plan, an item log on disk, engines that spread the work, overviews and reports."""

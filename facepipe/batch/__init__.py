"""Many items: jobs as rows, a plan, a ledger on disk, engines that spread the work, and what the folder tells of it."""

"""Training: data sets, losses, and one file for each trained model."""

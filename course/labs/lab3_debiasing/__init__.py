"""Lab 3: debiasing and outliers."""

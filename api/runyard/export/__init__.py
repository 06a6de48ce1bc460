"""Export: a run or a batch as one HTML file that needs nothing else, today and in ten years."""

"""The collector: an app that takes spans from anywhere and answers for the span store."""

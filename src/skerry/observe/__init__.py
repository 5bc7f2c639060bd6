"""What is known of requests after they are over: the span store, and what follows from spans."""

"""portal: where payers pick a school, see what it costs and where to send the money."""

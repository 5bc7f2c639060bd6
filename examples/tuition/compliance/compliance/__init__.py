"""compliance: looks at who pays whom before the money goes on."""

"""mailbox: catches e-mail in demonstrations, so that none leaves the machine."""

"""Where the instances of an app are, now and from now on."""

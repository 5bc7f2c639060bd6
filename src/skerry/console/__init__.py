"""The web console: an app that shows the fleet, and lets people do what the command line can."""

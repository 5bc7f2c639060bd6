"""What a process counts about itself, and how it is told to whoever asks."""

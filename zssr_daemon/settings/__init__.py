"""What was asked: settings.toml, and the settings of single images."""

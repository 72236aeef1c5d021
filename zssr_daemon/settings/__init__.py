"""What users ask for: settings.toml, and the settings of single images."""

"""From a file of the inbox to a queued job."""

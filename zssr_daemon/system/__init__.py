"""The operating system: files, mounts, processes, memory, service manager."""

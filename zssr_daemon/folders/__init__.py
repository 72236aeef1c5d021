"""What may stand in the way of all jobs: missing folders, full disks."""

"""More than one machine: the gateway between the supervisor and Ray, and what runs on the nodes."""

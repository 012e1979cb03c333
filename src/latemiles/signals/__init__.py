"""What flows through the system: the types of samples, angles, events and records. numpy only."""

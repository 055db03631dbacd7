"""Why spend moved: parts that sum to the change, causes that come out as what they are."""

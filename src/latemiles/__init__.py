"""latemiles: what happens to the pelvis in the later miles."""

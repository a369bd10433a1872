"""The onboard FPS suite: how fast a tracker's frame is here, side by side with its peers."""

"""Light curves of other programs and of Umbra itself: read by content, one file per dialect."""

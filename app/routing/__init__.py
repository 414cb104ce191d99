"""What the port serves beside the pages: files, media, artifacts, the stream of changes."""

"""Video, sound and image files: the only callers of ffmpeg and of Pillow."""

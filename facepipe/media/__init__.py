"""Video, sound and image files. Only this package calls ffmpeg and opens pictures."""

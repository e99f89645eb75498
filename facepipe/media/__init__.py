"""Video, sound and image files: the only place that calls ffmpeg or opens a picture."""

"""Arguments for ffmpeg's test sources of video and sound."""


def pictures(rate: str = "25", size: str = "96x64", seconds: float = 1.0) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")


def tone(seconds: float = 1.0) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=d={seconds}:r=44100")


H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")

"""The codec beside classical ones: rates, distortion and speed on the same clips."""

"""Motion from audio, sliders and random sampling."""

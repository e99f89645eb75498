"""Write the example portrait, the photograph of an astronaut that comes with scikit-image (public domain, NASA).

python examples/portrait.py FILE.png
"""

import sys

from skimage import data, io

if __name__ == "__main__":
    io.imsave(sys.argv[1], data.astronaut(), check_contrast=False)  # type: ignore[no-untyped-call]

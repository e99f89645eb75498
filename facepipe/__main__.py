"""`python -m facepipe`: the same program as the command `facepipe`."""

from facepipe.cli import main

if __name__ == "__main__":
    main()

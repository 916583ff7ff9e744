"""Run `python -m demijohn`: the `demijohn` command."""

from demijohn.cli import main

if __name__ == "__main__":
    main()

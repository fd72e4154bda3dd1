"""Entry point of ``python -m riverwatch``: the same as the ``riverwatch`` command."""

from riverwatch.cli.main import main

if __name__ == "__main__":
    main()

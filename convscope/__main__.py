"""`python -m convscope`, where the program `convscope` is not on the path."""

from convscope.startup import main

if __name__ == "__main__":
    main()

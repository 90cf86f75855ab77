"""convscope: train a convolutional network on photographs and see what it learned."""

__version__ = "0.1.0"

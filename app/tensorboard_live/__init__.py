"""TensorBoard itself over the store: nothing is exported."""

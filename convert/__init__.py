"""Other people's model files to ours; needs TensorFlow, which the runtime never does."""
